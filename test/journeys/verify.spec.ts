import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

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
    [
      'timeline_is_whole',
      `UPDATE recoveries SET sequence = sequence + 1 WHERE id = :id`,
      `UPDATE recoveries SET sequence = sequence - 1 WHERE id = :id`,
    ],
    [
      'timeline_is_a_chain',
      `UPDATE recovery_events SET from_state = 'failed' WHERE recovery_id = :id AND sequence = 2`,
      `UPDATE recovery_events SET from_state = 'queued' WHERE recovery_id = :id AND sequence = 2`,
    ],
    [
      'every_end_is_told',
      `UPDATE webhook_events SET sequence = 99 WHERE recovery_id = :id AND type = 'recovery.success'`,
      `UPDATE webhook_events SET sequence = 3 WHERE recovery_id = :id AND type = 'recovery.success'`,
    ],
    [
      'one_key_per_attempt',
      `UPDATE attempts SET gateway_key = 'x' || gateway_key WHERE recovery_id = :id`,
      `UPDATE attempts SET gateway_key = substr(gateway_key, 2) WHERE recovery_id = :id`,
    ],
    [
      'no_attempt_is_forgotten',
      `UPDATE attempts SET outcome = 'unknown' WHERE recovery_id = :id`,
      `UPDATE attempts SET outcome = 'succeeded' WHERE recovery_id = :id`,
    ],
  ])('names what breaks %s', async (name, breaking, mending) => {
    const { transactionId: id } = (await merchant.execute({ paymentMethodToken: 'pm_card_visa' })).body;
    const found = (await whileBroken(breaking, mending, id)) as [string, string[]][];
    expect(found.map(([rule]) => rule)).toEqual([name]);
    expect(new Set(found[0]?.[1])).toEqual(new Set([id]));
    expect(await broken()).toEqual([]);
  });

  it('is the operator’s alone', async () => {
    const { status } = await merchant.api.get('/api/verify');
    expect([401, 403]).toContain(status);
    expect((await new Api(world.app.url, {}).get('/api/verify')).status).toBe(401);
  });
});
