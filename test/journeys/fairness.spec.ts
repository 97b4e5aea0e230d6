import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import { addCrowd, latenessOf } from '../support/crowd.js';
import { GatewayProxy } from '../support/gateway-proxy.js';
import type { Merchant } from '../support/merchant.js';
import { type OwnTestGateway, ownTestGateway } from '../support/own-test-gateway.js';
import { World } from '../support/story.js';

/** One client's load must not delay another by more than this. */
const DELAY_MS_MAX = 1_000;
const QUEUED = { originalDeclineCode: 'insufficient_funds' };

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let look = 0; !(await holds()); look += 1) {
    if (look === 600) throw new Error(`waited in vain until ${what}`);
    await sleep(50);
  }
}

describe('one client with 100,000 due', () => {
  let world: World;
  let crowded: Merchant;
  let other: Merchant;
  let prototypeId: string;

  beforeAll(async () => {
    world = await World.start();
    [crowded, other] = [await world.merchant(), await world.merchant()];
    prototypeId = (await crowded.execute({ simulateOutcome: 'queued_then_success' })).body.transactionId;
    // Live ones, to the engine: no clock of theirs is moved.
    await world.database.query('UPDATE clients SET is_test = false');
  }, 120_000);
  afterAll(() => world.stop());

  it('does not delay another by more than a second', async () => {
    const connection = await world.database.connect();
    const flood = { prototypeId, clientId: crowded.clientId, count: 100_000 };
    await addCrowd(connection, { ...flood, from: new Date(Date.now() - 3_600_000), everyMs: 1 });
    const few = { prototypeId, clientId: other.clientId, count: 40, from: new Date(Date.now() + 1_000), everyMs: 50 };
    await addCrowd(connection, few);
    connection.release();
    await until('the other one is worked', async () => (await latenessOf(world.database, few)).length === few.count);
    const late = await latenessOf(world.database, few);
    const { rows } = await world.database.query<{ left: number }>(
      'SELECT count(*)::int AS left FROM recoveries WHERE client_id = $1 AND due_at IS NOT NULL',
      [crowded.clientId],
    );
    // It was worked meanwhile, and there was more of it all the time.
    expect(rows[0]?.left).toBeGreaterThan(10_000);
    expect(rows[0]?.left).toBeLessThan(100_000);
    expect(late.at(-1)).toBeLessThan(DELAY_MS_MAX);
  }, 180_000);
});

describe('a client whose gateway hangs, and one whose key is refused', () => {
  let own: OwnTestGateway;
  let proxy: GatewayProxy;
  let world: World;
  const keys: Record<'hanging' | 'refused' | 'well', string> = { hanging: '', refused: '', well: '' };
  const merchants: Partial<Record<keyof typeof keys, Merchant>> = {};
  const merchant = (name: keyof typeof keys): Merchant => {
    const found = merchants[name];
    if (!found) throw new Error(`no merchant is ${name}`);
    return found;
  };

  beforeAll(async () => {
    own = await ownTestGateway();
    proxy = await GatewayProxy.start(own.gateway.url);
    world = await World.start({ settings: { STRIPE_API_BASE: proxy.url, REVTAIN_GATEWAY_TIMEOUT_MS: '20000' } });
    for (const name of ['hanging', 'refused', 'well'] as const) {
      const { secretKey } = await own.newAccount();
      keys[name] = secretKey;
      merchants[name] = await world.merchant({ gateway: { provider: 'stripe', secretKey } });
    }
  }, 120_000);
  afterAll(async () => {
    await world.stop();
    await proxy.stop();
    await own.stop();
  });

  /** Accepts so many debts that are charged later, and lets them all fall due now. */
  async function due(name: keyof typeof keys, count: number): Promise<Date> {
    for (let debt = 0; debt < count; debt += 1) {
      const { status } = await merchant(name).execute({
        ...QUEUED,
        paymentMethodToken: `pm_card_visa__${name}_${debt}`,
      });
      expect(status).toBe(202);
    }
    return makeDue(name);
  }

  async function makeDue(name: keyof typeof keys): Promise<Date> {
    const { rows } = await world.database.query<{ due_at: Date }>(
      `UPDATE recoveries SET due_at = now() WHERE client_id = $1 AND state = 'queued' RETURNING due_at`,
      [merchant(name).clientId],
    );
    return rows[0]?.due_at ?? new Date();
  }

  const succeeded = async () => {
    const { rows } = await world.database.query<{ at: Date }>(
      `SELECT recovered_at AS at FROM recoveries WHERE client_id = $1 AND state = 'succeeded' ORDER BY 1`,
      [merchant('well').clientId],
    );
    return rows.map(({ at }) => at.getTime());
  };

  it('leave another one’s retries and requests alone', async () => {
    await due('hanging', 80);
    await due('refused', 20);
    const [never, gone] = [
      new Promise(() => undefined),
      { error: { type: 'authentication_error', message: 'no such key' } },
    ];
    proxy.interfere(({ secretKey }) => {
      if (secretKey === keys.hanging) return { until: never };
      return secretKey === keys.refused ? { status: 401, body: gone } : null;
    });
    await makeDue('hanging');
    await makeDue('refused');
    // More of the hanging one's, in requests that wait for their charge.
    const cutOff = Array.from({ length: 60 }, (_, debt) =>
      merchant('hanging')
        .execute({ paymentMethodToken: `pm_card_visa__waits_${debt}` })
        .then(({ status }) => status),
    );
    await until('the hanging one holds the wire', () =>
      Promise.resolve(proxy.seen.filter(({ secretKey }) => secretKey === keys.hanging).length >= 60),
    );
    const dueAt = await due('well', 30);
    await until('the other one is paid', async () => (await succeeded()).length === 30);
    expect((await succeeded()).at(-1)).toBeLessThan(dueAt.getTime() + DELAY_MS_MAX);
    const startedMs = performance.now();
    const { body } = await merchant('well').execute({ paymentMethodToken: 'pm_card_visa__at_once' });
    expect(body.state).toBe('succeeded');
    expect(performance.now() - startedMs).toBeLessThan(DELAY_MS_MAX);
    proxy.calm();
    // Each is answered within the time that a request has, and nothing of it is lost.
    for (const status of await Promise.all(cutOff)) expect(status).toBe(202);
  }, 120_000);
});

describe('work of a kind that this version does not know', () => {
  it('is left to one that does, and holds up nothing', async () => {
    const world = await World.start();
    const merchant = await world.merchant();
    const unknown = (await merchant.execute(QUEUED)).body.transactionId;
    const known = (await merchant.execute({ ...QUEUED, amount: 2_600 })).body.transactionId;
    await world.database.query('ALTER TABLE recoveries DROP CONSTRAINT recoveries_due_kind_check');
    await world.database.query(`UPDATE recoveries SET due_kind = 'later_version', due_at = now() WHERE id = $1`, [
      unknown,
    ]);
    await world.database.query(`UPDATE recoveries SET due_at = now() WHERE id = $1`, [known]);
    await until('the known one is worked', async () => (await merchant.status(known)).state === 'succeeded');
    const { rows } = await world.database.query<{ lease_token: string; due_kind: string }>(
      'SELECT lease_token, due_kind, state FROM recoveries WHERE id = $1',
      [unknown],
    );
    expect(rows).toEqual([{ lease_token: '0', due_kind: 'later_version', state: 'queued' }]);
    await world.stop();
  }, 60_000);
});
