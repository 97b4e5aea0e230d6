import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';
import { STATES } from '../recovery/facts.js';
import { FIRST_STATES, moveBetween } from '../recovery/lifecycle.js';

const CLIENT = 'cli_01AAAAAAAAAAAAAAAAAAAAAAAA';

let test: TestDatabase;
let owner: pg.Client;
let made = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  owner = new pg.Client({ connectionString: test.url });
  await owner.connect();
  await owner.query(
    `INSERT INTO clients (id, name, gateway_provider, gateway_key_sealed, is_test, created_at, updated_at)
     VALUES ($1, 'Spec', 'test', '\\x00', true, now(), now())`,
    [CLIENT],
  );
});
afterAll(async () => {
  await owner.end();
  await test.drop();
});

/** Stores a recovery that waits for its customer, with the first step of its timeline. */
async function recovery(): Promise<string> {
  const id = `01${String(++made).padStart(24, '0')}`;
  await owner.query(
    `INSERT INTO recoveries (client_id, id, state, sequence, debt_name, amount_requested_minor, amount_minor, currency, token_sealed,
       token_hash, policy, livemode, is_test, round_opened_at, deadline_at, advice, message, due_at, due_kind, created_at, updated_at)
     VALUES ($1, $2, 'action_required', 1, $2, 2500, 2500, 'USD', '\\x00', '\\x00', '{}', false, true, now(), now(), '{}', '',
       now(), 'authentication', now(), now())`,
    [CLIENT, id],
  );
  await step(id, 1, null, 'action_required');
  return id;
}

async function step(id: string, sequence: number, from: string | null, to: string): Promise<void> {
  await owner.query(
    `INSERT INTO recovery_events (client_id, recovery_id, sequence, at, type, from_state, to_state, rule, inputs, actor)
     VALUES ($1, $2, $3, now(), 'spec', $4, $5, 'spec', '{}', 'spec')`,
    [CLIENT, id, sequence, from, to],
  );
}

/** What the database says to a change of a row: null, or the code of its refusal. */
async function codeOf(change: Promise<unknown>): Promise<string | null> {
  return change.then(
    () => null,
    (error: { code?: string }) => error.code ?? 'no code',
  );
}

const CLOSED_COLUMNS = `end_reason = 'exhausted', due_at = NULL, due_kind = NULL`;
const update = (id: string, set: string) => codeOf(owner.query(`UPDATE recoveries SET ${set} WHERE id = '${id}'`));

describe('the steps that the database lets into a timeline', () => {
  it('are those of the lifecycle, from any state to any', async () => {
    const { rows: defined } = await owner.query<{ text: string; valid: boolean }>(
      `SELECT pg_get_constraintdef(oid) AS text, convalidated AS valid FROM pg_constraint WHERE conname = 'recovery_events_legal'`,
    );
    expect(defined[0]?.valid).toBe(true);
    const check = (defined[0]?.text ?? '').replace(/^CHECK /, '');
    const { rows } = await owner.query<{ from: string | null; to: string; sequence: number; legal: boolean }>(
      `SELECT from_state AS "from", to_state AS "to", sequence, ${check} AS legal
       FROM unnest($1::text[] || NULL::text) from_state, unnest($1::text[]) to_state, generate_series(1, 2) sequence`,
      [STATES],
    );
    expect(rows).toHaveLength((STATES.length + 1) * STATES.length * 2);
    for (const { from, to, sequence, legal } of rows) {
      const [start, end] = [STATES.find((each) => each === from), STATES.find((each) => each === to)];
      if (!end) throw new Error(`${to} is no state`);
      const isFirst = start === undefined && sequence === 1 && FIRST_STATES.includes(end);
      const follows = start !== undefined && sequence > 1 && (start === end || moveBetween(start, end) !== null);
      expect({ from, to, sequence, legal }).toEqual({ from, to, sequence, legal: isFirst || follows });
    }
  });

  it('begin with a recovery, leave no gap, and each begins where the one before it ended', async () => {
    const id = await recovery();
    expect(await codeOf(step('01999999999999999999999999', 1, null, 'queued'))).toBe('23503');
    expect(await codeOf(step(id, 3, 'action_required', 'queued'))).toBe('23503');
    expect(await codeOf(step(id, 2, 'queued', 'in_progress'))).toBe('23503');
    expect(await codeOf(step(id, 2, 'action_required', 'queued'))).toBeNull();
    expect(await codeOf(step(id, 2, 'action_required', 'queued'))).toBe('23505');
    expect(await codeOf(step(id, 3, 'queued', 'reconciling'))).toBe('23514');
  });
});

describe('the moves that the database lets a recovery make', () => {
  it('have a step, and lead neither back in steps nor in rounds', async () => {
    const id = await recovery();
    expect(await update(id, `state = 'queued'`)).toBe('23514');
    expect(await update(id, `state = 'queued', sequence = 2`)).toBeNull();
    expect(await update(id, `sequence = 1`)).toBe('23514');
    expect(await update(id, `round = 0`)).toBe('23514');
    expect(await update(id, `message = 'a counter, a look, an advice'`)).toBeNull();
  });

  it('lead nowhere from success', async () => {
    const id = await recovery();
    const paid = `state = 'succeeded', recovered_at = now(), due_at = NULL, due_kind = NULL`;
    expect(await update(id, `${paid}, sequence = 2`)).toBeNull();
    const failed = `state = 'failed', recovered_at = NULL, sequence = 3, round = 2, ${CLOSED_COLUMNS}`;
    expect(await update(id, failed)).toBe('23514');
  });

  it('open a closed one by its next round alone, and let money come to it', async () => {
    const [first, second] = [await recovery(), await recovery()];
    const open = `state = 'queued', end_reason = NULL, due_at = now(), due_kind = 'charge', sequence = 3`;
    for (const id of [first, second])
      expect(await update(id, `state = 'failed', sequence = 2, ${CLOSED_COLUMNS}`)).toBeNull();
    expect(await update(first, open)).toBe('23514');
    expect(await update(first, `${open}, round = 2`)).toBeNull();
    expect(
      await update(second, `state = 'succeeded', end_reason = NULL, recovered_at = now(), sequence = 3`),
    ).toBeNull();
  });
});
