import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { SystemClock } from '../../src/platform/clock.js';
import { SystemRandom } from '../../src/platform/random.js';
import { startTestGateway, type TestGateway } from '../../src/test-gateway/server.js';
import type { Merchant } from '../support/merchant.js';
import { type OwnTestGateway, ownTestGateway, type TestAccount } from '../support/own-test-gateway.js';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const FAULTS = [
  { fault: 'timeout_after_charge', charged: 1, attempts: ['succeeded'] },
  { fault: 'timeout_before_charge', charged: 0, attempts: ['succeeded'] },
  { fault: 'reset_after_charge', charged: 1, attempts: ['succeeded'] },
  { fault: 'reset_before_charge', charged: 0, attempts: ['succeeded'] },
  { fault: 'truncated_after_charge', charged: 1, attempts: ['succeeded'] },
  { fault: '500_after_charge', charged: 1, attempts: ['succeeded'] },
  // The gateway would replay its 500 under the old key for ever: a new attempt, with a new one.
  { fault: '500_before_charge', charged: 0, attempts: ['not_executed', 'succeeded'] },
];
const UNKNOWN = { http: 202, success: false, status: 'unknown', state: 'reconciling', attemptCount: 1 };
const QUEUED = { originalDeclineCode: 'insufficient_funds' };

let world: World;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

describe('an answer that is lost', () => {
  beforeEach(async () => {
    merchant = await world.merchant();
  });

  it.each(FAULTS)(
    '$fault in the request: unknown, then settled with one charge',
    async ({ fault, charged, attempts }) => {
      const all = await merchant.hearEverything();
      const answer = await merchant.execute({ paymentMethodToken: `pm_test_fault_${fault}` });
      const { transactionId: id, updatedAt } = answer.body;
      expect(seen(answer)).toMatchObject({ ...UNKNOWN, recommendedAction: 'monitor', willRetry: false });
      expect(await merchant.ledger()).toHaveLength(charged);
      expect(await all.event(id, 'recovery.unknown')).toMatchObject({ final: false, recommendedAction: 'monitor' });

      await merchant.advanceTo(later(updatedAt, 9_000));
      expect(await merchant.status(id)).toMatchObject({ state: 'reconciling', status: 'unknown' });
      expect(await merchant.ledger()).toHaveLength(charged);

      await merchant.advanceTo(later(updatedAt, 2 * MINUTE_MS));
      await expectSettledOnce(id, attempts);
    },
  );

  it.each(FAULTS)('$fault of a scheduled retry: settled with one charge', async ({ fault, charged, attempts }) => {
    const { body } = await merchant.execute({ ...QUEUED, paymentMethodToken: `pm_test_fault_${fault}` });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'reconciling', attemptCount: 1 });
    expect(await merchant.ledger()).toHaveLength(charged);
    await merchant.advanceTo(later(String(body.scheduledFor), 2 * MINUTE_MS));
    await expectSettledOnce(body.transactionId, attempts);
  });

  it.each(FAULTS)('$fault of an invoice: settled with one charge', async ({ fault, attempts }) => {
    const bank = await world.bank(merchant);
    const invoiceId = await bank.openInvoice();
    const answer = await merchant.execute({ invoiceId, paymentMethodToken: `pm_test_fault_${fault}` });
    expect(seen(answer)).toMatchObject(UNKNOWN);
    await merchant.advanceTo(later(answer.body.updatedAt, 2 * MINUTE_MS));
    await expectSettledOnce(answer.body.transactionId, attempts);
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
  });

  it.each(['reset_after_charge', 'reset_before_charge', '500_before_charge'])(
    '%s of a charge that is declined: the decline is found, and the schedule goes on',
    async (fault) => {
      const token = `pm_test_fault_${fault}_then_do_not_honor`;
      const answer = await merchant.execute({ paymentMethodToken: token });
      const { transactionId: id, updatedAt, deadlineAt } = answer.body;
      await merchant.advanceTo(later(updatedAt, 2 * MINUTE_MS));
      expect(await merchant.status(id)).toMatchObject({
        ...{ state: 'queued', lastDeclineCode: 'do_not_honor', attemptCount: 1, recommendedAction: 'retry_later' },
      });
      expect(await merchant.ledger()).toMatchObject([{ status: 'failed', declineCode: 'do_not_honor' }]);
      await merchant.advanceTo(deadlineAt);
      expect(await merchant.event(id, 'recovery.failed')).toMatchObject({ attemptCount: 4, endReason: 'exhausted' });
    },
  );

  it('lost twice in a row: settled all the same', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_before_charge_x2' });
    await merchant.advanceTo(later(body.updatedAt, 10 * MINUTE_MS));
    await expectSettledOnce(body.transactionId, ['succeeded']);
  });

  it('of a declined card with a fallback: the look finds the decline, and the fallback is charged at once', async () => {
    const { body } = await merchant.execute({
      paymentMethodToken: 'pm_test_fault_reset_after_charge_then_expired_card',
      fallbackPaymentMethodTokens: ['pm_card_mastercard'],
      fallbackConsent: true,
    });
    await merchant.advanceTo(later(body.updatedAt, 11_000));
    const told = { strategyUsed: 'fallback_token', attemptCount: 2 };
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject(told);
    expect((await merchant.ledger()).map(({ status }) => status)).toEqual(['failed', 'succeeded']);
  });

  it('while it is unknown, nothing else can charge the debt', async () => {
    const { body } = await merchant.execute({
      reference: 'inv_1',
      paymentMethodToken: 'pm_test_fault_reset_before_charge',
    });
    const other = { reference: 'inv_1', paymentMethodToken: 'pm_card_mastercard' };
    expect(seen(await merchant.execute(other))).toMatchObject({ http: 409, code: 'recovery_already_open' });
    expect(seen(await merchant.retry(body.transactionId))).toMatchObject({ http: 409, code: 'outcome_unknown' });
    const another = merchant.payWith(body.transactionId, 'pm_card_mastercard');
    expect(seen(await another)).toMatchObject({ http: 409, code: 'outcome_unknown' });
    expect(await merchant.ledger()).toEqual([]);
  });

  async function expectSettledOnce(id: string, attempts: string[]): Promise<void> {
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'reconciliation', attemptCount: 1 });
    const status = await merchant.status(id);
    expect(status).toMatchObject({ state: 'succeeded', trigger: 'reconciliation', attemptCount: 1 });
    expect(status.attempts.map(({ outcome }) => outcome)).toEqual(attempts);
    expect((await merchant.ledger()).map((charge) => charge.status)).toEqual(['succeeded']);
    expect(merchant.events(id)).toHaveLength(1);
  }
});

describe('a gateway that refuses the account', () => {
  it('pauses the client, tells the operator once, probes every five minutes, and gives the time back', async () => {
    merchant = await world.merchant();
    const waiting = await merchant.execute({ ...QUEUED, paymentMethodToken: 'pm_card_mastercard' });
    const refused = await merchant.execute({ paymentMethodToken: 'pm_test_fault_401_before_charge' });
    expect(seen(refused)).toMatchObject({
      ...{ http: 202, status: 'queued', state: 'queued', attemptCount: 0, recommendedAction: 'retry_later' },
      willRetry: true,
    });
    expect(await world.alertsOf(merchant.clientId)).toEqual(['credentials_refused']);
    const paused = await merchant.execute();
    expect(seen(paused)).toMatchObject({
      ...{ http: 202, status: 'queued', state: 'queued', attemptCount: 0, recommendedAction: 'retry_later' },
      ...{ willRetry: true, scheduledFor: expect.any(String) },
    });
    expect(await merchant.ledger()).toEqual([]);

    const pausedAt = refused.body.updatedAt;
    await merchant.advanceTo(later(pausedAt, 4 * MINUTE_MS));
    expect(await merchant.ledger()).toEqual([]);
    await merchant.advanceTo(later(pausedAt, 11 * MINUTE_MS));
    for (const { body } of [refused, paused]) {
      expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', attemptCount: 1 });
    }
    expect(await world.alertsOf(merchant.clientId)).toEqual([]);
    const grown = new Date((await merchant.status(waiting.body.transactionId)).deadlineAt).getTime();
    const grownByMs = grown - new Date(waiting.body.deadlineAt).getTime();
    expect(grownByMs).toBeGreaterThanOrEqual(5 * MINUTE_MS - 1_000);
    expect(grownByMs).toBeLessThan(6 * MINUTE_MS);
    expect((await merchant.ledger()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  });
});

describe('a gateway that is down', () => {
  let own: OwnTestGateway;
  let outside: World;
  let account: TestAccount;
  let listener: TestGateway;

  beforeAll(async () => {
    own = await ownTestGateway();
    listener = own.gateway;
    // A Stripe of the merchant's own, so that the test can switch it off.
    outside = await World.start({ settings: { STRIPE_API_BASE: own.gateway.url } });
  });

  afterAll(async () => {
    await outside.stop();
    await listener.stop();
    await own.stop();
  });

  beforeEach(async () => {
    account = await own.newAccount();
    merchant = await outside.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
  });

  const ledger = () => own.admin.ledger(account.accountId);

  async function whileDown<T>(work: () => Promise<T>): Promise<T> {
    const { port } = listener;
    await listener.stop();
    try {
      return await work();
    } finally {
      listener = await startTestGateway({ pool: own.pool, clock: new SystemClock(), random: new SystemRandom(), port });
    }
  }

  /** Both clocks: the gateway's own is not the service's to move. */
  async function advanceTo(instant: string): Promise<void> {
    await own.admin.setClock(account.accountId, new Date(instant).getTime() - Date.now());
    await merchant.advanceTo(instant);
  }

  it('at acceptance: queued, read again after 10 s, a minute, five minutes, and charged once it answers', async () => {
    const answer = await whileDown(async () => {
      const accepted = await merchant.execute();
      expect(seen(accepted)).toMatchObject({ http: 202, status: 'queued', attemptCount: 0, willRetry: true });
      const readAgainMs =
        new Date(String(accepted.body.scheduledFor)).getTime() - new Date(accepted.body.createdAt).getTime();
      expect(readAgainMs).toBeGreaterThanOrEqual(10_000);
      expect(readAgainMs).toBeLessThan(12_000);
      await merchant.advanceTo(later(accepted.body.createdAt, 30_000));
      expect(await merchant.status(accepted.body.transactionId)).toMatchObject({ state: 'queued', attemptCount: 0 });
      return accepted;
    });
    const { transactionId: id, createdAt } = answer.body;
    await advanceTo(later(createdAt, 2 * MINUTE_MS));
    await merchant.event(id, 'recovery.success');
    expect(await ledger()).toMatchObject([{ revtainTransactionId: id, status: 'succeeded' }]);
  });

  it('at acceptance, and the original turns out unknown: ended by that code, and not a lost debt', async () => {
    const { body } = await whileDown(() => merchant.execute({ originalGatewayTransactionId: 'pi_unknown' }));
    expect(body.state).toBe('queued');
    await advanceTo(later(body.createdAt, 2 * MINUTE_MS));
    expect(await merchant.event(body.transactionId, 'recovery.failed')).toMatchObject({
      ...{ endReason: 'configuration', recommendedAction: 'manual_review' },
      recommendedActionDetail: 'original_transaction_not_found',
    });
    expect(await ledger()).toEqual([]);
  });

  it('at a retry: nothing is charged unread, no attempt is counted, and it is charged when it answers', async () => {
    const { body } = await merchant.execute(QUEUED);
    const dueAt = String(body.scheduledFor);
    await whileDown(async () => {
      await merchant.advanceTo(later(dueAt, HOUR_MS));
      expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'queued', attemptCount: 0 });
    });
    await advanceTo(later(dueAt, DAY_MS));
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await ledger()).toHaveLength(1);
  });

  it.each([
    { title: 'younger than 23 hours: the same key again', downMs: 5 * HOUR_MS, attempts: ['succeeded'] },
    { title: 'older: a new attempt with a new key', downMs: 30 * HOUR_MS, attempts: ['not_executed', 'succeeded'] },
  ])('after a lost reply, $title', async ({ downMs, attempts }) => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_before_charge' });
    expect(body.state).toBe('reconciling');
    const backAt = later(body.updatedAt, downMs);
    await whileDown(() => merchant.advanceTo(backAt));
    await advanceTo(later(backAt, 2 * DAY_MS));
    await merchant.event(body.transactionId, 'recovery.success');
    const status = await merchant.status(body.transactionId);
    expect(status.attempts.map(({ outcome }) => outcome)).toEqual(attempts);
    expect(await ledger()).toMatchObject([{ status: 'succeeded', attemptId: status.attempts.at(-1)?.attemptId }]);
  });

  it('for a month while a charge is unknown: still looked at, never failed, a critical alert after a week', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    await whileDown(() => merchant.advanceTo(later(body.deadlineAt, 7 * DAY_MS)));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'reconciling', endReason: null });
    // The minute's sweep may have told the first quarter of an hour as well, in its own severity.
    const { rows: critical } = await outside.database.query<{ kind: string }>(
      `SELECT kind FROM operator_alerts WHERE client_id = $1 AND severity = 'critical' AND resolved_at IS NULL`,
      [merchant.clientId],
    );
    expect(critical).toEqual([{ kind: 'charge_unknown_for_long' }]);
    expect(merchant.events(body.transactionId)).toEqual([]);
    await advanceTo(later(body.deadlineAt, 15 * DAY_MS));
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await ledger()).toHaveLength(1);
  });
});

describe('a gateway that takes its time', () => {
  it('is waited for 20 s and no longer: the caller has its answer within 25 s', async () => {
    const slow = await World.start({ settings: { REVTAIN_GATEWAY_TIMEOUT_MS: '20000' } });
    try {
      merchant = await slow.merchant();
      const startedAt = Date.now();
      const answer = await merchant.execute({ paymentMethodToken: 'pm_test_fault_timeout_before_charge' });
      expect(Date.now() - startedAt).toBeLessThan(25_000);
      expect(seen(answer)).toMatchObject(UNKNOWN);
    } finally {
      await slow.stop();
    }
  });
});
