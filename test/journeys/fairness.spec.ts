import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import { addCrowd, crowdId } from '../support/crowd.js';
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

describe('one client with 30,000 due', () => {
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

  /** Lets so many recoveries of the other one fall due, one after the other; answers how late each was worked, sorted. */
  async function lateness(from: number, to: number): Promise<number[]> {
    const late: number[] = [];
    for (let place = from; place <= to; place += 1) {
      const id = crowdId(place);
      const fallDue = `UPDATE recoveries SET due_at = clock_timestamp() WHERE client_id = $1 AND id = $2 RETURNING due_at`;
      const which = [other.clientId, id];
      const dueAt = (await world.database.query<{ due_at: Date }>(fallDue, which)).rows[0]?.due_at;
      const look = `SELECT recovered_at FROM recoveries WHERE client_id = $1 AND id = $2 AND recovered_at IS NOT NULL`;
      let recoveredAt: Date | undefined;
      await until('it is worked', async () => {
        recoveredAt = (await world.database.query<{ recovered_at: Date }>(look, which)).rows[0]?.recovered_at;
        return recoveredAt !== undefined;
      });
      late.push((recoveredAt?.getTime() ?? NaN) - (dueAt?.getTime() ?? NaN));
    }
    return late.sort((a, b) => a - b);
  }

  it('does not delay another by more than a second', async () => {
    const connection = await world.database.connect();
    const inADay = new Date(Date.now() + 86_400_000);
    await addCrowd(connection, { prototypeId, clientId: other.clientId, count: 40, from: inADay, everyMs: 1 });
    const alone = await lateness(1, 20);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    await addCrowd(connection, {
      prototypeId,
      clientId: crowded.clientId,
      count: 30_000,
      from: anHourAgo,
      everyMs: 1,
    });
    connection.release();
    const beside = await lateness(21, 40);
    const { rows } = await world.database.query<{ left: number }>(
      'SELECT count(*)::int AS left FROM recoveries WHERE client_id = $1 AND due_at IS NOT NULL',
      [crowded.clientId],
    );
    // It was worked meanwhile, and there was more of it all the time.
    expect(rows[0]?.left).toBeGreaterThan(10_000);
    expect(rows[0]?.left).toBeLessThan(30_000);
    // The 18th of 20: a machine that is busy with other things stalls now and then.
    expect(beside[17]).toBeLessThan((alone[17] ?? NaN) + DELAY_MS_MAX);
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

  /** Accepts so many debts that are charged later. */
  async function accept(name: keyof typeof keys, count: number): Promise<void> {
    for (let debt = 0; debt < count; debt += 1) {
      const { status } = await merchant(name).execute({ ...QUEUED, amount: 2_500 + debt });
      expect(status).toBe(202);
    }
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

  interface Pace {
    retriesMs: number;
    requestMs: number;
  }

  /** How long after they fell due the last of 30 debts of the third one is paid, and how long a request of it takes. */
  async function pace(): Promise<Pace> {
    const before = (await succeeded()).length;
    await accept('well', 30);
    const dueAt = await makeDue('well');
    await until('the other one is paid', async () => (await succeeded()).length === before + 30);
    const retriesMs = ((await succeeded()).at(-1) ?? NaN) - dueAt.getTime();
    const startedMs = performance.now();
    const { body } = await merchant('well').execute({ amount: 9_000 });
    expect(body.state).toBe('succeeded');
    return { retriesMs, requestMs: performance.now() - startedMs };
  }

  /** The best of three: a machine that is busy with other tests makes one of them slow, a neighbour in the way makes all. */
  async function bestPace(): Promise<Pace> {
    const paces = [await pace(), await pace(), await pace()];
    const best = (each: keyof Pace) => Math.min(...paces.map((one) => one[each]));
    return { retriesMs: best('retriesMs'), requestMs: best('requestMs') };
  }

  it('leave another one’s retries and requests alone', async () => {
    await accept('hanging', 80);
    await accept('refused', 20);
    const alone = await pace();
    const never = new Promise(() => undefined);
    const refusal = { status: 401, body: { error: { type: 'authentication_error', message: 'no such key' } } };
    proxy.interfere(({ secretKey }) => {
      if (secretKey === keys.hanging) return { until: never };
      return secretKey === keys.refused ? refusal : null;
    });
    for (const name of ['hanging', 'refused'] as const) await makeDue(name);
    const calls = Array.from({ length: 40 }, (_, debt) => merchant('hanging').execute({ amount: 5_000 + debt }));
    const hanging = () => proxy.seen.filter(({ secretKey }) => secretKey === keys.hanging).length;
    const before = hanging();
    await until('its calls hang', () => Promise.resolve(hanging() - before >= 60));
    const beside = await bestPace();
    expect(beside.retriesMs).toBeLessThan(alone.retriesMs + DELAY_MS_MAX);
    expect(beside.requestMs).toBeLessThan(alone.requestMs + DELAY_MS_MAX);
    for (const { status } of await Promise.all(calls)) expect(status).toBe(202);
  }, 120_000);
});

describe('work of a kind that this version does not know', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world.stop());

  const rowOf = async (id: string) =>
    (await world.database.query<object>('SELECT * FROM recoveries WHERE id = $1', [id])).rows[0];

  it('is left to one that does, and holds up nothing', async () => {
    const merchant = await world.merchant();
    const unknown = (await merchant.execute(QUEUED)).body.transactionId;
    const known = (await merchant.execute({ ...QUEUED, amount: 2_600 })).body.transactionId;
    await world.database.query('ALTER TABLE recoveries DROP CONSTRAINT recoveries_due_kind_check');
    const later = `UPDATE recoveries SET due_kind = 'later_version', due_at = now() WHERE id = $1`;
    await world.database.query(later, [unknown]);
    const asItWas = await rowOf(unknown);
    await world.database.query(`UPDATE recoveries SET due_at = now() WHERE id = $1`, [known]);
    await until('the known one is worked', async () => (await merchant.status(known)).state === 'succeeded');
    expect(await rowOf(unknown)).toEqual(asItWas);
  }, 60_000);
});
