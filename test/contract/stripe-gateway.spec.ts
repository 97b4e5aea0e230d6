import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { ChargeResult, PaymentFacts } from '../../src/gateways/gateway.js';
import { findDeclineRow } from '../../src/recovery/tables.js';
import {
  chargePayment,
  createPayment,
  type GatewayBench,
  openInvoice,
  options,
  payInvoice,
  startGatewayBench,
  valueOf,
} from '../support/gateway-bench.js';
import { engineKey } from '../support/own-test-gateway.js';

let started: Awaited<ReturnType<typeof startGatewayBench>>;
let bench: GatewayBench;
let own: GatewayBench['own'];
let test: GatewayBench['test'];
let account: GatewayBench['account'];
let gateway: GatewayBench['gateway'];

beforeAll(async () => {
  started = await startGatewayBench();
});

afterAll(() => started.stop());

beforeEach(async () => {
  bench = await started.open();
  ({ own, test, account, gateway } = bench);
});

const readPayment = async (id: string): Promise<PaymentFacts> =>
  valueOf(await gateway.readPayment(account, id, options));
const charges = async (): Promise<number> => (await own.admin.ledger(test.accountId)).length;

describe('a payment of the engine', () => {
  it('is made unconfirmed, charged once, and reads as collected', async () => {
    const payment = await createPayment(bench);
    expect(payment).toMatchObject({ status: 'requires_payment_method', allowsRedirects: false, latestCharge: null });
    expect(await charges()).toBe(0);

    const result = await chargePayment(bench, payment.id, 'pm_card_visa');
    const read = await readPayment(payment.id);
    expect(result).toEqual({ kind: 'succeeded', paymentId: payment.id, chargeId: read.latestCharge?.id });
    expect(read).toMatchObject({ status: 'succeeded', latestCharge: { status: 'succeeded', signals: null } });
    expect(await charges()).toBe(1);
  });

  it('is charged once under one key, and not again under another', async () => {
    const payment = await createPayment(bench);
    const key = engineKey();
    const first = await chargePayment(bench, payment.id, 'pm_card_visa', key);
    await expect(chargePayment(bench, payment.id, 'pm_card_visa', key)).resolves.toEqual(first);
    await expect(chargePayment(bench, payment.id, 'pm_card_visa')).resolves.toMatchObject({
      kind: 'read_first',
      known: true,
      code: 'payment_intent_unexpected_state',
    });
    expect(await charges()).toBe(1);
  });

  it('tells apart a decline, its repeat and a later success on the same object', async () => {
    const payment = await createPayment(bench);
    const token = 'pm_test_insufficient_funds_x1__ndc_51__brand_mastercard';
    const result = await chargePayment(bench, payment.id, token);
    const read = await readPayment(payment.id);
    expect(result).toMatchObject({
      kind: 'declined',
      signals: {
        declineCode: 'insufficient_funds',
        errorCode: 'card_declined',
        networkDeclineCode: '51',
        brand: 'mastercard',
      },
      paymentId: payment.id,
      chargeId: read.latestCharge?.id,
    });
    expect(read.lastError?.signals).toEqual(result.kind === 'declined' && result.signals);
    expect(read.lastError?.requestLogUrl).toEqual(expect.any(String));
    await expect(chargePayment(bench, payment.id, token)).resolves.toHaveProperty('kind', 'succeeded');
  });

  it.each([
    ['pm_card_chargeDeclinedExpiredCard', { declineCode: null, errorCode: 'expired_card' }],
    ['pm_card_visa_chargeDeclinedLostCard', { declineCode: 'lost_card', errorCode: 'card_declined' }],
    ['pm_card_authenticationRequired', { errorCode: 'authentication_required' }],
    ['pm_test_zz_9', { declineCode: 'zz_9' }],
    ['pm_test_do_not_honor__advice_do_not_try_again', { adviceCode: 'do_not_try_again' }],
    ['pm_test_do_not_honor__mac_03', { networkAdviceCode: '03' }],
  ])('declines %s with %j', async (token, signals) => {
    const payment = await createPayment(bench);
    await expect(chargePayment(bench, payment.id, token)).resolves.toMatchObject({ kind: 'declined', signals });
  });

  it('declines a step-up under a code whose row sends the customer to authenticate', async () => {
    const payment = await createPayment(bench);
    const result = await chargePayment(bench, payment.id, 'pm_card_authenticationRequired');
    const { declineCode, errorCode } = (result as ChargeResult & { kind: 'declined' }).signals;
    expect(findDeclineRow(declineCode ?? errorCode ?? '')?.firstStep).toBe('authenticate');
  });

  it('waits at the bank', async () => {
    const payment = await createPayment(bench);
    await expect(chargePayment(bench, payment.id, 'pm_test_processing')).resolves.toEqual({
      kind: 'pending',
      paymentId: payment.id,
    });
    await own.admin.settlePending(test.accountId, payment.id, 'failed');
    await expect(readPayment(payment.id)).resolves.toMatchObject({
      status: 'requires_payment_method',
      latestCharge: { status: 'failed' },
    });
  });

  it('is cancelled, and then refuses to be charged', async () => {
    const payment = await createPayment(bench);
    const canceled = await gateway.cancelPayment(account, payment.id, engineKey(), options);
    expect(canceled).toMatchObject({ kind: 'found', value: { status: 'canceled' } });
    await expect(chargePayment(bench, payment.id, 'pm_card_visa')).resolves.toHaveProperty('kind', 'read_first');
    expect(await charges()).toBe(0);
  });

  it('refuses an amount that Stripe refuses', async () => {
    const request = {
      amountMinor: 100_000_000,
      currency: 'USD',
      customerId: test.cardholder,
      metadata: {},
      idempotencyKey: 'k',
    };
    await expect(gateway.createPayment(account, request, options)).resolves.toMatchObject({
      kind: 'rejected',
      status: 400,
    });
  });
});

describe('a fault', () => {
  const lost = { kind: 'unknown', loss: 'lost_reply' };
  it.each([
    ['reset_after_charge', lost, true],
    ['reset_before_charge', lost, false],
    ['truncated_after_charge', lost, true],
    ['timeout_after_charge', lost, true],
    ['timeout_before_charge', lost, false],
    ['500_after_charge', { kind: 'unknown', loss: 'received_5xx' }, true],
    ['500_before_charge', { kind: 'unknown', loss: 'received_5xx' }, false],
    ['401_before_charge', { kind: 'account_refused', status: 401 }, false],
  ])(
    '%s is never taken for a success or a decline, and its witness tells what happened',
    async (fault, result, charged) => {
      const payment = await createPayment(bench);
      await expect(chargePayment(bench, payment.id, `pm_test_fault_${fault}`, engineKey(), 700)).resolves.toMatchObject(
        result,
      );
      const read = await readPayment(payment.id);
      expect([read.status, await charges()]).toEqual(charged ? ['succeeded', 1] : ['requires_payment_method', 0]);
    },
  );

  it('lets the same call be sent again under its key after a lost reply', async () => {
    const payment = await createPayment(bench);
    const key = engineKey();
    await chargePayment(bench, payment.id, 'pm_test_fault_reset_after_charge', key);
    await expect(chargePayment(bench, payment.id, 'pm_test_fault_reset_after_charge', key)).resolves.toHaveProperty(
      'kind',
      'succeeded',
    );
    expect(await charges()).toBe(1);
  });
});

describe('an invoice', () => {
  it('is read with its default payment, paid, and then refuses a second payment', async () => {
    const id = await openInvoice(bench);
    const open = valueOf(await gateway.readInvoice(account, id, options));
    expect(open).toMatchObject({
      status: 'open',
      amountRemainingMinor: 2500,
      currency: 'USD',
      payment: { invoiceId: id },
    });

    await expect(payInvoice(bench, id, 'pm_card_visa')).resolves.toMatchObject({
      kind: 'succeeded',
      paymentId: open.payment?.id,
    });
    const paid = valueOf(await gateway.readInvoice(account, id, options));
    expect(paid).toMatchObject({ status: 'paid', amountRemainingMinor: 0 });
    await expect(payInvoice(bench, id, 'pm_card_visa')).resolves.toHaveProperty('kind', 'read_first');
    expect(await charges()).toBe(1);
  });

  it('declines with the payment and the charge named, and the reading agrees', async () => {
    const id = await openInvoice(bench);
    const result = await payInvoice(bench, id, 'pm_test_do_not_honor');
    const read = valueOf(await gateway.readInvoice(account, id, options));
    expect(result).toMatchObject({ kind: 'declined', signals: { declineCode: 'do_not_honor' } });
    expect(read.payment?.lastError?.signals).toMatchObject({ declineCode: 'do_not_honor' });
    expect(read.payment?.latestCharge?.id).toBe(result.kind === 'declined' ? result.chargeId : 'no decline');
  });

  it('asks for the customer, which is neither a success nor a decline', async () => {
    const result = await payInvoice(bench, await openInvoice(bench), 'pm_card_authenticationRequired');
    expect(result).toHaveProperty('kind', 'requires_action');
    expect(await own.admin.ledger(test.accountId)).not.toContainEqual(expect.objectContaining({ status: 'succeeded' }));
  });

  it.each(['draft', 'void', 'uncollectible'] as const)('reads as %s', async (status) => {
    const { invoices } = test.stripe;
    const id =
      status === 'draft' ? (await invoices.create({ customer: test.cardholder })).id : await openInvoice(bench);
    if (status === 'void') await invoices.voidInvoice(id);
    if (status === 'uncollectible') await invoices.markUncollectible(id);
    await expect(gateway.readInvoice(account, id, options)).resolves.toMatchObject({
      kind: 'found',
      value: { status },
    });
  });
});
