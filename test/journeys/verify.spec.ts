import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Audit } from '../../src/audit/auditor.service.js';
import type { Verification } from '../../src/verify/verifier.service.js';
import { Api } from '../support/api.js';
import type { Merchant } from '../support/merchant.js';
import { later, MINUTE_MS, World } from '../support/story.js';

let world: World;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
  merchant = await world.merchant();
});

afterAll(async () => {
  await world.stop();
});

const verified = async () => (await world.operator.get<Verification & Record<string, unknown>>('/api/verify')).body;

const broken = async () =>
  (await verified()).invariants
    .filter(({ held }) => !held)
    .map(({ name, offenders }) => [name, offenders.map(({ transactionId }) => transactionId)]);

/** Breaks something past the rules of the tables, looks, and mends it. */
async function whileBroken(breaking: string, mending: string, id: string): Promise<unknown> {
  const client = await world.database.connect();
  try {
    // Past triggers and foreign keys, as a hand in the database would be.
    await client.query(`SET session_replication_role = replica`);
    await client.query(breaking.replaceAll(':id', `'${id}'`));
    const found = await broken();
    await client.query(mending.replaceAll(':id', `'${id}'`));
    return found;
  } finally {
    await client.query(`SET session_replication_role = origin`);
    client.release();
  }
}

/** What is not linked yet may be changed unseen, and would be linked as it was left. */
async function untilLinked(): Promise<void> {
  const pending = async () =>
    (await world.operator.get<Audit & Record<string, unknown>>('/api/audit/verify')).body.pending;
  for (let look = 0; (await pending()) > 0; look += 1) {
    if (look === 100) throw new Error('the events are not linked');
    await sleep(100);
  }
}

describe('verify', () => {
  it('holds after every kind of end', async () => {
    for (const simulateOutcome of ['success', 'failed', 'blocked', 'queued_then_failed', 'unknown_then_success']) {
      await merchant.execute({ simulateOutcome });
    }
    const lost = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    const cancelled = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_before_charge' });
    await merchant.cancel(cancelled.body.transactionId, 'abandoned');
    await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    await merchant.execute({ originalDeclineCode: 'authentication_required' });
    expect(await broken()).toEqual([]);
    await merchant.advanceTo(later(lost.body.createdAt, 5 * MINUTE_MS));
    await merchant.advanceTo(later(lost.body.createdAt, 40 * 24 * 60 * MINUTE_MS));
    expect(await verified()).toMatchObject({ held: true });
    expect(await broken()).toEqual([]);
  });

  it.each([
    {
      rules: ['timeline_is_whole'],
      breaking: `UPDATE recoveries SET sequence = sequence + 1 WHERE id = :id`,
      mending: `UPDATE recoveries SET sequence = sequence - 1 WHERE id = :id`,
    },
    {
      rules: ['timeline_is_a_chain', 'audit_chain_holds'],
      breaking: `UPDATE recovery_events SET from_state = 'failed' WHERE recovery_id = :id AND sequence = 2`,
      mending: `UPDATE recovery_events SET from_state = 'queued' WHERE recovery_id = :id AND sequence = 2`,
    },
    {
      rules: ['timeline_is_whole', 'timeline_is_legal', 'audit_chain_holds'],
      breaking: `ALTER TABLE recovery_events DROP CONSTRAINT recovery_events_legal;
                 UPDATE recovery_events SET to_state = 'holdout' WHERE recovery_id = :id AND sequence = 3`,
      mending: `UPDATE recovery_events SET to_state = 'succeeded' WHERE recovery_id = :id AND sequence = 3`,
    },
    {
      rules: ['every_end_is_told'],
      breaking: `UPDATE webhook_events SET sequence = 99 WHERE recovery_id = :id AND type = 'recovery.success'`,
      mending: `UPDATE webhook_events SET sequence = 3 WHERE recovery_id = :id AND type = 'recovery.success'`,
    },
    {
      rules: ['success_is_the_last_word', 'every_end_is_told'],
      breaking: `INSERT INTO webhook_events SELECT (jsonb_populate_record(e, '{"id": "evt_planted", "type": "recovery.failed", "sequence": 4}')).*
                 FROM webhook_events e WHERE recovery_id = :id AND type = 'recovery.success'`,
      mending: `DELETE FROM webhook_events WHERE id = 'evt_planted'`,
    },
    {
      rules: ['no_delivery_is_forgotten'],
      breaking: `UPDATE webhook_deliveries SET status = 'pending', next_try_at = now() - interval '2 days',
                   lease_until = now() + interval '1 hour' WHERE recovery_id = :id`,
      mending: `UPDATE webhook_deliveries SET status = 'delivered', next_try_at = NULL, lease_until = NULL WHERE recovery_id = :id`,
    },
    {
      rules: ['one_key_per_attempt'],
      breaking: `UPDATE attempts SET gateway_key = 'x' || gateway_key WHERE recovery_id = :id`,
      mending: `UPDATE attempts SET gateway_key = substr(gateway_key, 2) WHERE recovery_id = :id`,
    },
    {
      rules: ['no_attempt_is_forgotten'],
      breaking: `UPDATE attempts SET outcome = 'unknown' WHERE recovery_id = :id`,
      mending: `UPDATE attempts SET outcome = 'succeeded' WHERE recovery_id = :id`,
    },
    {
      rules: ['charged_as_asked'],
      breaking: `UPDATE attempts SET amount_minor = amount_minor + 1 WHERE recovery_id = :id`,
      mending: `UPDATE attempts SET amount_minor = amount_minor - 1 WHERE recovery_id = :id`,
    },
    {
      rules: ['one_charge_at_a_time'],
      breaking: `INSERT INTO attempts SELECT (jsonb_populate_record(a, jsonb_build_object('id', 'att_planted', 'number', 2,
                   'outcome', 'declined', 'gateway_key', a.recovery_id || ':att_planted', 'opened_at', a.opened_at))).*
                 FROM attempts a WHERE recovery_id = :id`,
      mending: `DELETE FROM attempts WHERE id = 'att_planted'`,
    },
    {
      rules: ['paid_debt_is_held', 'timeline_is_whole'],
      breaking: `UPDATE recoveries SET state = 'failed', end_reason = 'exhausted', recovered_at = NULL WHERE id = :id`,
      mending: `UPDATE recoveries SET state = 'succeeded', end_reason = NULL, recovered_at = now() WHERE id = :id`,
    },
  ])('names what breaks $rules', async ({ rules, breaking, mending }) => {
    const { transactionId: id } = (await merchant.execute({ paymentMethodToken: 'pm_card_visa' })).body;
    await merchant.event(id, 'recovery.success');
    for (let look = 0; look < 100 && (await world.deliveryStatuses(id))[0] !== 'delivered'; look += 1) await sleep(50);
    await untilLinked();
    const found = (await whileBroken(breaking, mending, id)) as [string, string[]][];
    expect(found.map(([rule]) => rule)).toEqual(rules);
    for (const [, offenders] of found) expect(new Set(offenders)).toEqual(new Set([id]));
    expect(await broken()).toEqual([]);
  });

  it('names the second recovery under one key', async () => {
    const [first, second] = [await merchant.execute(), await merchant.execute({ amount: 2_600 })];
    const key = (id: string) => `(SELECT idempotency_key FROM recoveries WHERE id = '${id}')`;
    const breaking = `CREATE TABLE kept_key AS SELECT idempotency_key FROM recoveries WHERE id = :id;
      UPDATE recoveries SET idempotency_key = ${key(first.body.transactionId)} WHERE id = :id`;
    const mending = `UPDATE recoveries SET idempotency_key = (SELECT idempotency_key FROM kept_key) WHERE id = :id; DROP TABLE kept_key`;
    const found = await whileBroken(breaking, mending, second.body.transactionId);
    expect(found).toEqual([['one_recovery_per_key', [second.body.transactionId]]]);
  });

  it('is the operator’s alone', async () => {
    const { status } = await merchant.api.get('/api/verify');
    expect([401, 403]).toContain(status);
    expect((await new Api(world.app.url, {}).get('/api/verify')).status).toBe(401);
  });
});
