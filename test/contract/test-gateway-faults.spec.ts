import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { Agent, request } from 'undici';

import {
  charge,
  engineKey,
  newPayment,
  ownTestGateway,
  refusalOf,
  sdk,
  type OwnTestGateway,
  type TestAccount,
} from '../support/own-test-gateway.js';

const HOUR_MS = 3_600_000;

let own: OwnTestGateway;
let account: TestAccount;
let impatient: { stripe: Stripe };
const agent = new Agent();

beforeAll(async () => {
  own = await ownTestGateway();
  account = await own.newAccount();
  impatient = { stripe: sdk(own.gateway, account.secretKey, 400) };
});
afterAll(async () => {
  expect(own.errors).toEqual([]);
  await agent.close();
  await own.stop();
});

/** How a payment's charges stand in the ledger. */
async function booked(paymentIntentId: string): Promise<string[]> {
  const entries = await own.admin.ledger(account.accountId);
  return entries.filter((entry) => entry.paymentIntentId === paymentIntentId).map(({ status }) => status);
}

/** One confirm over bare HTTP, sent exactly once: the SDK sends again after a reset. */
function confirmOnce(paymentIntentId: string, token: string, key: string) {
  return request(`${own.gateway.url}/v1/payment_intents/${paymentIntentId}/confirm`, {
    dispatcher: agent,
    method: 'POST',
    headers: {
      authorization: `Bearer ${account.secretKey}`,
      'content-type': 'application/x-www-form-urlencoded',
      'idempotency-key': key,
    },
    body: new URLSearchParams({ payment_method: token, off_session: 'true' }).toString(),
  });
}

describe('a fault', () => {
  // Seen through the SDK: the class and status of the error, what the ledger holds then, and what the same key gets.
  it.each<[string, string, number | undefined, string[], string | number]>([
    ['timeout_after_charge', 'StripeConnectionError', undefined, ['succeeded'], 'succeeded'],
    ['timeout_before_charge', 'StripeConnectionError', undefined, [], 'succeeded'],
    ['500_after_charge', 'StripeAPIError', 500, ['succeeded'], 500],
    ['500_before_charge', 'StripeAPIError', 500, [], 500],
    ['truncated_after_charge', 'StripeConnectionError', undefined, ['succeeded'], 'succeeded'],
    ['401_before_charge', 'StripeAuthenticationError', 401, [], 'succeeded'],
  ])('%s comes as %s %s', async (fault, type, statusCode, after, again) => {
    const payment = await newPayment(account);
    const key = engineKey();
    const error = await refusalOf(charge(impatient, payment.id, `pm_test_fault_${fault}`, key));
    expect([error.type, error.statusCode]).toEqual([type, statusCode]);
    expect(await booked(payment.id)).toEqual(after);
    const resent = charge(account, payment.id, `pm_test_fault_${fault}`, key);
    if (typeof again === 'number') expect((await refusalOf(resent)).statusCode).toBe(again);
    else expect((await resent).status).toBe(again);
    expect(await booked(payment.id)).toEqual(typeof again === 'number' ? after : ['succeeded']);
  });

  it.each([
    ['reset_before_charge', []],
    ['reset_after_charge', ['succeeded']],
  ])('%s cuts the connection; the same key then succeeds, with one charge', async (fault, after) => {
    const payment = await newPayment(account);
    const key = engineKey();
    await expect(confirmOnce(payment.id, `pm_test_fault_${fault}`, key)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await booked(payment.id)).toEqual(after);
    const again = await confirmOnce(payment.id, `pm_test_fault_${fault}`, key);
    expect(again.statusCode).toBe(200);
    expect(again.headers['idempotent-replayed']).toBe(after.length === 0 ? undefined : 'true');
    await again.body.dump();
    expect(await booked(payment.id)).toEqual(['succeeded']);
  });

  it('that lasts shows through the SDK, which sends twice', async () => {
    const payment = await newPayment(account);
    const error = await refusalOf(charge(account, payment.id, 'pm_test_fault_reset_before_charge_x2'));
    expect(error.type).toBe('StripeConnectionError');
    expect((await charge(account, payment.id, 'pm_test_fault_reset_before_charge_x2')).status).toBe('succeeded');
    expect(await booked(payment.id)).toEqual(['succeeded']);
  });

  it('comes once per debt, and only a new key gets past a kept 500', async () => {
    const token = 'pm_test_fault_500_before_charge';
    for (const payment of [await newPayment(account), await newPayment(account)]) {
      expect((await refusalOf(charge(account, payment.id, token))).statusCode).toBe(500);
      expect((await charge(account, payment.id, token)).status).toBe('succeeded');
    }
  });

  it('can hide a decline as well', async () => {
    const payment = await newPayment(account);
    const error = await refusalOf(charge(account, payment.id, 'pm_test_fault_500_after_charge_then_do_not_honor'));
    expect(error.statusCode).toBe(500);
    expect(await booked(payment.id)).toEqual(['failed']);
    expect((await account.stripe.paymentIntents.retrieve(payment.id)).last_payment_error?.decline_code).toBe(
      'do_not_honor',
    );
  });

  it('holds its reply until the gateway stops, and is cut then', async () => {
    const payment = await newPayment(account);
    const { gateway } = await own.another();
    const patient = { stripe: sdk(gateway, account.secretKey, 60_000) };
    const call = refusalOf(charge(patient, payment.id, 'pm_test_fault_timeout_after_charge'));
    await eventually(() => booked(payment.id));
    await gateway.stop();
    expect((await call).type).toBe('StripeConnectionError');
  });
});

describe('an idempotency key', () => {
  it('gives the first answer again, a decline too, and charges once', async () => {
    const payment = await newPayment(account);
    const key = engineKey();
    const first = await refusalOf(charge(account, payment.id, 'pm_test_do_not_honor', key));
    const again = await refusalOf(charge(account, payment.id, 'pm_test_do_not_honor', key));
    expect(again.raw).toEqual({ ...(first.raw as object), headers: again.headers, requestId: again.requestId });
    expect(again.headers).toMatchObject({ 'idempotent-replayed': 'true', 'original-request': first.requestId });
    expect(await booked(payment.id)).toEqual(['failed']);
  });

  it('is refused for other parameters and for another address', async () => {
    const payment = await newPayment(account);
    const key = engineKey();
    await charge(account, payment.id, 'pm_card_visa', key);
    const other = await refusalOf(charge(account, payment.id, 'pm_card_amex', key));
    expect(other).toMatchObject({ type: 'StripeIdempotencyError', statusCode: 400 });
    const elsewhere = await refusalOf(account.stripe.customers.create({}, { idempotencyKey: key }));
    expect(elsewhere).toMatchObject({ type: 'StripeIdempotencyError', statusCode: 400 });
  });

  it('belongs to one account', async () => {
    const key = engineKey();
    const other = await own.newAccount();
    const mine = await account.stripe.customers.create({}, { idempotencyKey: key });
    const theirs = await other.stripe.customers.create({}, { idempotencyKey: key });
    expect(theirs.id).not.toBe(mine.id);
  });

  it('is not spent by a request that was refused before it began', async () => {
    const key = engineKey();
    const payment = await newPayment(account);
    expect(await refusalOf(charge(account, payment.id, 'pm_nothing', key))).toMatchObject({ statusCode: 400 });
    expect((await charge(account, payment.id, 'pm_card_visa', key)).status).toBe('succeeded');
  });

  it('is spent by a request that found the object in the wrong state', async () => {
    const key = engineKey();
    const paid = await charge(account, (await newPayment(account)).id, 'pm_card_visa');
    const first = await refusalOf(charge(account, paid.id, 'pm_card_visa', key));
    const again = await refusalOf(charge(account, paid.id, 'pm_card_visa', key));
    expect([first.statusCode, again.headers?.['idempotent-replayed']]).toEqual([400, 'true']);
  });

  it('lives 24 hours of the account’s clock, then executes again', async () => {
    const late = await own.newAccount();
    const payment = await newPayment(late);
    const key = engineKey();
    await refusalOf(charge(late, payment.id, 'pm_test_do_not_honor_x1', key));
    await own.admin.moveClock(late.accountId, 24 * HOUR_MS - 60_000);
    expect((await refusalOf(charge(late, payment.id, 'pm_test_do_not_honor_x1', key))).statusCode).toBe(402);
    await own.admin.moveClock(late.accountId, 60_000);
    expect((await charge(late, payment.id, 'pm_test_do_not_honor_x1', key)).status).toBe('succeeded');
  });

  it('in use elsewhere is 409, and free again when that process dies, with nothing charged', async () => {
    const payment = await newPayment(account);
    const key = engineKey();
    const other = await own.another();
    // Somebody holds the payment, so the other server's confirm waits in the middle of its transaction.
    const holder = await own.pool.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM test_gateway.objects WHERE id = $1 FOR UPDATE', [payment.id]);
    const patient = { stripe: sdk(other.gateway, account.secretKey, 10_000) };
    const first = refusalOf(charge(patient, payment.id, 'pm_card_visa', key));
    const waiting = await waiterFor();
    expect(await refusalOf(charge(account, payment.id, 'pm_card_visa', key))).toMatchObject({
      type: 'StripeAPIError',
      statusCode: 409,
      code: 'idempotency_key_in_use',
    });
    // What PostgreSQL sees of a process that is killed: its connection ends.
    await own.pool.query('SELECT pg_terminate_backend($1, 5000)', [waiting]);
    expect((await first).statusCode).toBe(500);
    expect(own.errors.splice(0)).toHaveLength(1);
    await holder.query('ROLLBACK');
    holder.release();
    expect(await booked(payment.id)).toEqual([]);
    expect((await charge(account, payment.id, 'pm_card_visa', key)).status).toBe('succeeded');
    expect(await booked(payment.id)).toEqual(['succeeded']);
  });

  it('makes one charge of a hundred calls at once, over two servers', async () => {
    const payment = await newPayment(account);
    const key = engineKey();
    const second = { stripe: sdk((await own.another()).gateway, account.secretKey) };
    const calls = Array.from({ length: 100 }, (_, index) =>
      charge(index % 2 ? account : second, payment.id, 'pm_card_visa', key).then(
        ({ status }) => status,
        (error: Stripe.errors.StripeError) => error.statusCode,
      ),
    );
    const answers = new Set(await Promise.all(calls));
    expect([...answers].every((answer) => answer === 'succeeded' || answer === 409)).toBe(true);
    expect(answers.has('succeeded')).toBe(true);
    expect(await booked(payment.id)).toEqual(['succeeded']);
  });
});

/** The backend that waits for somebody's row. */
async function waiterFor(): Promise<number> {
  const query = `SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%FOR UPDATE%'`;
  const [waiting] = await eventually(async () => (await own.pool.query<{ pid: number }>(query)).rows);
  return waiting?.pid ?? 0;
}

/** What `look` finds, as soon as it finds anything. */
async function eventually<Found>(look: () => Promise<Found[]>): Promise<Found[]> {
  for (let time = 0; time < 200; time += 1) {
    const found = await look();
    if (found.length > 0) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('It did not come within four seconds.');
}
