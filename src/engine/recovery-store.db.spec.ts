import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { createTestDatabase } from '../../test/support/database.js';
import type { ClientSettings } from '../clients/client-settings.js';
import { newRecovery } from '../execute/new-recovery.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { Database } from '../platform/db/database.js';
import { sendFlight } from '../platform/db/flight.js';
import { Ids } from '../platform/ids.js';
import { SystemRandom } from '../platform/random.js';
import { CardLedger } from './card-ledger.js';
import { quietly, step, unchanged, type Change } from './change.js';
import type { Attempt, Recovery } from './recovery.js';
import { LeaseLost, RecoveryStore } from './recovery-store.js';
import { decided } from './recovery-writer.js';
import type { WorkContext } from './work-context.js';

const NOW = new Date('2026-03-02T10:00:00.000Z');
const RULE = { name: 'test', source: 'this spec' };

class FixedClock extends Clock {
  override now(): Date {
    return NOW;
  }
  override monotonicMs(): number {
    return 0;
  }
}

const clock = new FixedClock();
const ids = new Ids(clock, new SystemRandom());
const vault = new Vault(randomBytes(32), [], new SystemRandom());
const context = { now: () => NOW, actor: 'test' } as WorkContext;

const CLIENT = {
  livemode: true,
  isTest: false,
  timezone: null,
  billingCycleDay: null,
  defaultCurrency: 'USD',
  policy: {},
} as unknown as ClientSettings;

/** The names of the statements that were sent, in their order. */
const sent: string[] = [];
let database: Database;
let drop: () => Promise<void>;
let store: RecoveryStore;
let clientId: string;

beforeAll(async () => {
  const test = await createTestDatabase();
  drop = () => test.drop();
  database = Database.connect(test.url, 5, (client, statements) => {
    sent.push(...statements.map(({ name = '' }) => name));
    return sendFlight(client, statements);
  });
  store = new RecoveryStore(database, ids, clock);
  clientId = ids.prefixed('cli');
  await database.query(
    { role: 'worker' },
    {
      text: `INSERT INTO clients (id, name, gateway_provider, gateway_key_sealed, livemode, is_test, created_at, updated_at)
             VALUES ($1, 'Spec', 'stripe', '\\x00', true, false, $2, $2)`,
      values: [clientId, NOW],
    },
  );
});

afterAll(async () => {
  await database.close();
  await drop();
});

function draft(reference: string): Change {
  const request = { paymentMethodToken: `pm_${reference}`, amount: 2500, reference };
  const recovery = newRecovery(ids.ulid(), { ...CLIENT, id: clientId }, request, null, NOW, vault);
  return step(
    unchanged(recovery),
    { dueAt: NOW, dueKind: 'charge' },
    { type: 'accepted', rule: RULE, at: NOW, actor: 'test' },
  );
}

async function accept(change: Change): Promise<Recovery> {
  await store.transaction(clientId, (tx) => tx.query(store.insertStatement(change)));
  return change.recovery;
}

async function claim(recovery: Recovery): Promise<Recovery> {
  const claimed = await store.claimOne(clientId, recovery.id);
  if (!claimed) throw new Error('nobody else should hold it');
  return claimed;
}

async function count(table: string, recovery: Recovery): Promise<number> {
  const column = table === 'recoveries' ? 'id' : 'recovery_id';
  const { rows } = await database.query<{ n: number }>(
    { role: 'worker' },
    { text: `SELECT count(*)::int AS n FROM ${table} WHERE ${column} = $1`, values: [recovery.id] },
  );
  return rows[0]?.n ?? 0;
}

async function expireLease(recovery: Recovery): Promise<void> {
  await database.query(
    { role: 'worker' },
    {
      text: `UPDATE recoveries SET lease_until = clock_timestamp() - interval '1 s' WHERE id = $1`,
      values: [recovery.id],
    },
  );
}

function attemptOf(recovery: Recovery, number: number, outcome: Attempt['outcome']): Attempt {
  return {
    clientId,
    id: ids.prefixed('att'),
    recoveryId: recovery.id,
    number,
    round: 1,
    trigger: 'initial',
    strategy: 'primary',
    amountMinor: 2500,
    currency: 'USD',
    tokenHash: recovery.tokenHash,
    cardFingerprint: null,
    cardBrand: null,
    paymentObjectId: 'pi_1',
    gatewayKey: `${recovery.id}:x${number}`,
    witness: { paymentId: null, latestChargeId: null, lastErrorLogUrl: null },
    outcome,
    loss: null,
    openedAt: NOW,
    sentAt: NOW,
    lostAt: null,
    endedAt: null,
    signals: null,
    declineCode: null,
    networkDeclineCode: null,
    adviceCode: null,
    gatewayTransactionToken: null,
    scheduled: false,
  };
}

describe('RecoveryStore', () => {
  it('reads back every column as it was written', async () => {
    const accepted = await accept(draft('roundtrip'));
    const found = await store.find(clientId, accepted.id);
    expect(found?.recovery).toEqual(accepted);
    expect(found?.isLeased).toBe(false);
  });

  it('writes nothing at all for a worker whose lease was taken over', async () => {
    const zombie = await claim(await accept(draft('zombie')));
    await expireLease(zombie);
    const heir = await claim(zombie);
    expect(heir.leaseToken).toBe(zombie.leaseToken + 1);
    expect(heir.crashCount).toBe(1);

    const late = decided(unchanged(zombie), { kind: 'succeeded', rule: RULE }, 'initial', context);
    const attempt = attemptOf(zombie, 1, 'succeeded');
    await expect(store.save({ ...late, attemptsOpened: [attempt] })).rejects.toThrow(LeaseLost);
    expect(await count('attempts', zombie)).toBe(0);
    expect(await count('recovery_events', zombie)).toBe(1);
    expect((await store.find(clientId, zombie.id))?.recovery.state).toBe('queued');
  });

  it('claims each due recovery once, however many claim at the same time', async () => {
    const accepted = await Promise.all(Array.from({ length: 40 }, (_, n) => accept(draft(`claims-${n}`))));
    const batches = await Promise.all(Array.from({ length: 8 }, () => store.claimDue(NOW, 40)));
    const claimed = batches.flat().map((each) => each.id);
    expect(new Set(claimed).size).toBe(claimed.length);
    expect(claimed).toEqual(expect.arrayContaining(accepted.map((each) => each.id)));
  });

  it('refuses a second open recovery of one debt by the index, not by a look', async () => {
    await accept(draft('one-debt'));
    await expect(accept(draft('one-debt'))).rejects.toMatchObject({ constraint: 'recoveries_one_per_debt' });
  });

  it('refuses a second open attempt, and a second success, of one recovery', async () => {
    const held = await claim(await accept(draft('attempts')));
    const first = attemptOf(held, 1, null);
    await store.save({ ...unchanged(held), attemptsOpened: [first] });
    const second = { ...unchanged(held), attemptsOpened: [attemptOf(held, 2, null)] };
    await expect(store.save(second)).rejects.toMatchObject({ constraint: 'attempts_one_open' });
    await store.save({ ...unchanged(held), attemptsEnded: [{ ...first, outcome: 'succeeded' }] });
    const third = { ...unchanged(held), attemptsOpened: [attemptOf(held, 3, 'succeeded')] };
    await expect(store.save(third)).rejects.toMatchObject({ constraint: 'attempts_one_success' });
  });

  it('lets no open recovery rest without a next look', async () => {
    const held = await claim(await accept(draft('no-rest')));
    const lost = quietly(unchanged(held), { dueAt: null, dueKind: null });
    await expect(store.save(lost)).rejects.toMatchObject({ constraint: 'open_has_a_next_look' });
  });

  it('keeps a deadline that grew while the work was in hand', async () => {
    const held = await claim(await accept(draft('deadline')));
    await database.query(
      { role: 'worker' },
      { text: `UPDATE recoveries SET deadline_at = deadline_at + interval '1 hour' WHERE id = $1`, values: [held.id] },
    );
    await store.save(unchanged(held));
    const found = await store.find(clientId, held.id);
    expect(found?.recovery.deadlineAt.getTime()).toBe(held.deadlineAt.getTime() + 3_600_000);
  });

  it('sends what a step changes, and leaves alone what others wrote beside it', async () => {
    const held = await claim(await accept(draft('lean')));
    const text = `UPDATE recoveries SET metadata = '{"a":"b"}', message = 'beside' WHERE id = $1`;
    await database.query({ role: 'worker' }, { text, values: [held.id] });
    const kept = await store.save(quietly(unchanged(held), { readingsFailed: 3 }));
    await store.save(quietly(unchanged(kept), { readingsFailed: 0, hints: { platform: 'chargebee' } }));
    const { readingsFailed, hints, metadata, message } = (await store.find(clientId, held.id))?.recovery ?? held;
    const told = { readingsFailed, hints, metadata, message };
    expect(told).toEqual({
      readingsFailed: 0,
      hints: { platform: 'chargebee' },
      metadata: { a: 'b' },
      message: 'beside',
    });
  });

  it('writes the whole row after a write that failed: what is stored is not known then', async () => {
    const held = await claim(await accept(draft('whole')));
    const lost = quietly(unchanged(held), { dueAt: null, dueKind: null });
    await expect(store.save(lost)).rejects.toMatchObject({ constraint: 'open_has_a_next_look' });
    await database.query(
      { role: 'worker' },
      { text: `UPDATE recoveries SET message = 'unknown to us' WHERE id = $1`, values: [held.id] },
    );
    await store.save(unchanged(held));
    expect((await store.find(clientId, held.id))?.recovery.message).toBe(held.message);
  });

  it('tells an event in the bytes that were composed, whatever letters they hold', async () => {
    const held = await claim(await accept(draft('letters')));
    const body = Buffer.from(JSON.stringify({ message: 'Zoë “\\x00” \u0000 \n 😀 \\u0041' }));
    const id = ids.prefixed('evt');
    const event = { id, type: 'recovery.success' as const, body, isDefault: true, final: true, sequence: 1 };
    await store.save({ ...unchanged(held), events: [{ ...event, heldUntil: null, createdAt: NOW }] });
    const { rows } = await database.query<{ body: Buffer }>(
      { role: 'worker' },
      { text: 'SELECT body FROM webhook_events WHERE id = $1', values: [id] },
    );
    expect(rows[0]?.body).toEqual(body);
  });

  it('refuses to change or remove a line of the timeline', async () => {
    const accepted = await accept(draft('append-only'));
    for (const text of [`UPDATE recovery_events SET type = 'x' WHERE recovery_id = $1`]) {
      const changed = database.query({ role: 'worker' }, { text, values: [accepted.id] });
      await expect(changed).rejects.toThrow(/append-only|permission denied/);
    }
  });

  it('sleeps until the next due recovery, and sees an expired lease as due', async () => {
    const held = await claim(await accept(draft('next-due')));
    await store.save(quietly(unchanged(held), { dueAt: new Date('2020-01-01T00:00:00Z'), leaseOwner: null }));
    expect(await store.nextDueAt(NOW)).toEqual(new Date('2020-01-01T00:00:00Z'));
  });
});

describe('writes that come at the same time', () => {
  const heldOnes = (name: string, countMax: number) =>
    Promise.all(Array.from({ length: countMax }, async (_, n) => claim(await accept(draft(`${name}-${n}`)))));
  const succeeded = (recovery: Recovery) =>
    decided(unchanged(recovery), { kind: 'succeeded', rule: RULE }, 'initial', context);
  const stateOf = async ({ id }: Recovery) => (await store.find(clientId, id))?.recovery.state;
  const setsSent = () => sent.filter((name) => name.startsWith('save_all')).length;

  it('share statements, and each is written whole', async () => {
    const held = await heldOnes('together', 20);
    const before = setsSent();
    await Promise.all(
      held.map((each) => store.save({ ...succeeded(each), attemptsOpened: [attemptOf(each, 1, 'succeeded')] })),
    );
    expect(setsSent() - before).toBeGreaterThan(0);
    expect(setsSent() - before).toBeLessThan(5);
    for (const each of held) {
      const [attempt] = await store.attempts(clientId, each.id);
      const written = [await stateOf(each), attempt?.outcome, await count('recovery_events', each)];
      expect(written).toEqual(['succeeded', 'succeeded', 2]);
    }
  });

  it('of which one has lost its lease: nothing of that one is written, and all of the others', async () => {
    const held = await heldOnes('zombies', 6);
    const [zombie, ...others] = held as [Recovery, ...Recovery[]];
    await expireLease(zombie);
    await claim(zombie);
    const results = await Promise.allSettled(held.map((each) => store.save(succeeded(each))));
    expect((results[0] as PromiseRejectedResult).reason).toBeInstanceOf(LeaseLost);
    expect(await Promise.all(others.map(stateOf))).toEqual(others.map(() => 'succeeded'));
    expect([await stateOf(zombie), await count('recovery_events', zombie)]).toEqual(['queued', 1]);
  });

  it('of which the database refuses one: that one is told so, and the others are written', async () => {
    const held = await heldOnes('refused', 6);
    const [first] = held as [Recovery];
    const changes = held.map((each) => ({ ...succeeded(each), attemptsOpened: [attemptOf(each, 1, 'succeeded')] }));
    await store.save({ ...unchanged(first), attemptsOpened: [attemptOf(first, 1, null)] });
    const results = await Promise.allSettled(changes.map((each) => store.save(each)));
    expect(results[0]).toMatchObject({ reason: { constraint: 'attempts_by_number' } });
    expect(results.slice(1).map(({ status }) => status)).toEqual(held.slice(1).map(() => 'fulfilled'));
  });

  it('do not wait for a row that somebody else holds', async () => {
    const held = await heldOnes('row-held', 6);
    const [locked, ...others] = held as [Recovery, ...Recovery[]];
    const saves = await database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query({ text: 'SELECT FROM recoveries WHERE id = $1 FOR UPDATE', values: [locked.id] });
      const all = held.map((each) => store.save(succeeded(each)));
      await Promise.all(all.slice(1));
      return all;
    });
    await Promise.all(saves);
    expect(await Promise.all([locked, ...others].map(stateOf))).toEqual(held.map(() => 'succeeded'));
  });

  it('open one charge of a card that was never charged, and refuse the second', async () => {
    const ledger = new CardLedger(database);
    const tokens = await heldOnes('cards', 4);
    const held = tokens.map((each, n) => ({ ...each, cardFingerprint: n < 2 ? 'fp_same' : `fp_${n}` }));
    const opening = (each: Recovery) => {
      const attempt = { ...attemptOf(each, 1, null), cardFingerprint: each.cardFingerprint };
      return store.saveIfUncharged({ ...unchanged(each), attemptsOpened: [attempt] }, ledger.neverCharged(each));
    };
    const before = setsSent();
    expect(await Promise.all(held.map(opening))).toEqual([true, false, true, true]);
    expect(setsSent()).toBeGreaterThan(before);
    expect(await Promise.all(held.map((each) => count('attempts', each)))).toEqual([1, 0, 1, 1]);
  });
});
