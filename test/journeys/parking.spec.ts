import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Merchant } from '../support/merchant.js';
import { HOUR_MS, later, World } from '../support/story.js';

const QUEUED = { originalDeclineCode: 'insufficient_funds' };
/** A due retry is worked within a second; the machine may be busy. */
const WORKED_WITHIN_MS = 10_000;

let world: World;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
  world.expectErrors();
  merchant = await world.merchant();
});

afterAll(async () => {
  await world.stop();
});

/** As if so many workers had died with it in hand: due now, its token unreadable for whoever takes it. */
async function spoil(id: string, crashes: number): Promise<Buffer> {
  const { rows } = await world.database.query<{ token_sealed: Buffer }>(
    'SELECT token_sealed FROM recoveries WHERE id = $1',
    [id],
  );
  await world.database.query(
    `UPDATE recoveries SET token_sealed = '\\x00', crash_count = $2, due_at = now() - interval '1 second' WHERE id = $1`,
    [id, crashes],
  );
  return rows[0]?.token_sealed ?? Buffer.alloc(0);
}

const rowOf = async (id: string) => {
  const text = 'SELECT crash_count, due_at, lease_until FROM recoveries WHERE id = $1';
  const { rows } = await world.database.query<{ crash_count: number; due_at: Date; lease_until: Date | null }>(text, [
    id,
  ]);
  return rows[0];
};

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < WORKED_WITHIN_MS; waitedMs += 100) {
    if (await isSo()) return;
    await sleep(100);
  }
  throw new Error('it did not come to that');
}

describe('work that every worker fails at', () => {
  it('is parked for an hour after five failures, told to the operator, and works again once it is mended', async () => {
    const { transactionId: id } = (await merchant.execute(QUEUED)).body;
    const token = await spoil(id, 5);
    await until(async () => (await merchant.timeline(id)).some(({ type }) => type === 'parked'));
    const { state, nextRetryAt } = await merchant.status(id);
    expect(state).toBe('queued');
    expect(String(nextRetryAt) > later(new Date(), HOUR_MS - 60_000)).toBe(true);
    expect(await world.alertsOf(merchant.clientId)).toContain('work_parked');
    expect(await rowOf(id)).toMatchObject({ crash_count: 0, lease_until: null });

    await world.database.query('UPDATE recoveries SET token_sealed = $2 WHERE id = $1', [id, token]);
    await merchant.advanceTo(String(nextRetryAt));
    expect(await merchant.status(id)).toMatchObject({ state: 'succeeded', attemptCount: 1 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('before that it keeps its lease, which runs out, and others are worked meanwhile', async () => {
    const { transactionId: id } = (await merchant.execute(QUEUED)).body;
    await spoil(id, 0);
    await until(async () => (await rowOf(id))?.lease_until !== null);
    const good = await merchant.execute({ paymentMethodToken: 'pm_card_visa' });
    expect(good.body.state).toBe('succeeded');
    expect((await merchant.timeline(id)).some(({ type }) => type === 'parked')).toBe(false);
  });
});
