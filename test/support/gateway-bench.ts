import type { ChargeResult, Gateway, GatewayAccount, PaymentFacts, Reading } from '../../src/gateways/gateway.js';
import { GatewayRegistry, TestGatewayAddress } from '../../src/gateways/registry.js';
import { SystemClock } from '../../src/platform/clock.js';
import { engineKey, ids, ownTestGateway, type OwnTestGateway, type TestAccount } from './own-test-gateway.js';

export const options = { timeoutMs: 5_000 };

/** The product's Stripe adapter over a running test gateway; each `open` makes an account of its own. */
export interface GatewayBench {
  own: OwnTestGateway;
  test: TestAccount;
  account: GatewayAccount;
  gateway: Gateway;
}

/** Starts a test gateway and the adapter on it. */
export async function startGatewayBench(): Promise<{ open(): Promise<GatewayBench>; stop(): Promise<void> }> {
  const own = await ownTestGateway();
  const address = new TestGatewayAddress();
  address.set(own.gateway.url);
  const registry = new GatewayRegistry(new SystemClock(), address, { stripeApiBase: null });
  const open = async (): Promise<GatewayBench> => {
    const test = await own.newAccount();
    const account: GatewayAccount = { clientId: test.accountId, provider: 'test', secretKey: test.secretKey };
    return { own, test, account, gateway: registry.gatewayFor(account) };
  };
  const stop = async (): Promise<void> => {
    await registry.onApplicationShutdown();
    await own.stop();
  };
  return { open, stop };
}

/** What was found. Throws when nothing was. */
export function valueOf<T>(reading: Reading<T>): T {
  if (reading.kind === 'found') return reading.value;
  throw new Error(`read as ${JSON.stringify(reading)}`);
}

/** A payment as the engine creates it. */
export async function createPayment(
  { gateway, account, test }: GatewayBench,
  amountMinor = 2500,
  currency = 'USD',
): Promise<PaymentFacts> {
  const metadata = { revtainTransactionId: ids.ulid(), reference: 'order-7' };
  const request = { amountMinor, currency, customerId: test.cardholder, metadata, idempotencyKey: engineKey() };
  return valueOf(await gateway.createPayment(account, request, options));
}

/** One charge on a payment, under a key of the engine's form. */
export function chargePayment(
  { gateway, account }: GatewayBench,
  paymentId: string,
  token: string,
  idempotencyKey = engineKey(),
  timeoutMs = 5_000,
): Promise<ChargeResult> {
  const target = { kind: 'payment', paymentId, returnUrl: null } as const;
  return gateway.charge(account, { target, paymentMethodToken: token, idempotencyKey }, { timeoutMs });
}

/** An open invoice of 25.00 USD. */
export async function openInvoice({ test }: GatewayBench): Promise<string> {
  const { invoices, invoiceItems } = test.stripe;
  const invoice = await invoices.create({ customer: test.cardholder, auto_advance: false });
  await invoiceItems.create({ customer: test.cardholder, invoice: invoice.id, amount: 2500, currency: 'usd' });
  return (await invoices.finalizeInvoice(invoice.id)).id;
}

/** One charge on an invoice. */
export function payInvoice(
  { gateway, account }: GatewayBench,
  invoiceId: string,
  token: string,
): Promise<ChargeResult> {
  const target = { kind: 'invoice', invoiceId } as const;
  return gateway.charge(account, { target, paymentMethodToken: token, idempotencyKey: engineKey() }, options);
}
