import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Audit, Auditor } from '../../src/audit/auditor.service.js';
import { EVENT_COLUMNS } from '../../src/audit/audit-sql.js';
import { Chainer } from '../../src/audit/chainer.js';
import { isSigned, signCheckpoint, signingKey, type Checkpoint } from '../../src/audit/checkpoint.js';
import { CHAIN_START, digestOf, type EventRow, linkHash } from '../../src/audit/event-digest.js';
import type { Merchant, Page } from '../support/merchant.js';
import { World } from '../support/story.js';

let world: World;
let merchant: Merchant;
let ids: string[];

beforeAll(async () => {
  world = await World.start();
  merchant = await world.merchant();
  ids = [];
  for (const paymentMethodToken of ['pm_card_visa', 'pm_test_do_not_honor', 'pm_test_stolen_card']) {
    ids.push((await merchant.execute({ paymentMethodToken })).body.transactionId);
  }
  await linked();
});

afterAll(async () => {
  await world.stop();
});

const audit = async () => (await world.operator.get<Audit & Record<string, unknown>>('/api/audit/verify')).body;
const kinds = async () => (await audit()).offences.map(({ kind }) => kind);

/** Waits until every event is linked. */
async function linked(): Promise<void> {
  for (let look = 0; (await audit()).pending > 0; look += 1) {
    if (look === 100) throw new Error('the events are not linked');
    await sleep(100);
  }
}

/** Breaks something past triggers and policies, as a hand in the database would, looks, and mends all of it. */
async function whileTampered<T>(statements: string[], look: () => Promise<T>): Promise<T> {
  const client = await world.database.connect();
  const tables = ['recoveries', 'recovery_events', 'attempts', 'audit_links', 'audit_heads'];
  try {
    await client.query('SET session_replication_role = replica');
    for (const table of tables) await client.query(`CREATE TABLE kept_${table} AS TABLE ${table}`);
    for (const statement of statements) await client.query(statement.replaceAll(':id', `'${ids[0] ?? ''}'`));
    return await look();
  } finally {
    for (const table of tables) {
      const columns = table === 'recoveries' ? await writableColumns(table) : '*';
      const into = columns === '*' ? '' : `(${columns})`;
      await client.query(`DELETE FROM ${table}`);
      await client.query(`INSERT INTO ${table} ${into} SELECT ${columns} FROM kept_${table}`);
      await client.query(`DROP TABLE kept_${table}`);
    }
    await client.query('SET session_replication_role = origin');
    client.release();
  }
}

/** One statement past triggers. */
async function intruder(text: string, values: unknown[]): Promise<void> {
  const client = await world.database.connect();
  await client.query('SET session_replication_role = replica');
  await client.query(text, values);
  await client.query('SET session_replication_role = origin');
  client.release();
}

async function writableColumns(table: string): Promise<string> {
  const { rows } = await world.database.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  return rows.map(({ name }) => name).join(', ');
}

describe('the audit chain', () => {
  it('links every event of the timeline once, and holds', async () => {
    const { rows } = await world.database.query<{ events: number; links: number }>(
      'SELECT (SELECT count(*)::int FROM recovery_events) AS events, (SELECT count(*)::int FROM audit_links) AS links',
    );
    expect(rows[0]?.events).toBeGreaterThan(6);
    expect(rows[0]?.links).toBe(rows[0]?.events);
    expect(await audit()).toMatchObject({ held: true, clients: 1, links: rows[0]?.links, offences: [], count: 0 });
  });

  it('digests every column of the timeline', async () => {
    const { rows } = await world.database.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'recovery_events'::regclass AND attnum > 0 AND NOT attisdropped`,
    );
    for (const { name } of rows) expect(EVENT_COLUMNS).toMatch(new RegExp(`e\\.${name}\\b`));
    expect(EVENT_COLUMNS.match(/e\./g)).toHaveLength(rows.length);
  });

  it.each([
    [
      'an edit',
      [`UPDATE recovery_events SET actor = 'somebody' WHERE recovery_id = :id AND sequence = 2`],
      ['event_changed'],
    ],
    [
      'an edit of a fact',
      [`UPDATE recovery_events SET inputs = inputs || '{"amount": 1}' WHERE recovery_id = :id AND sequence = 2`],
      ['event_changed'],
    ],
    [
      'an edit of an instant',
      [`UPDATE recovery_events SET at = at + interval '1 us' WHERE recovery_id = :id AND sequence = 3`],
      ['event_changed'],
    ],
    ['a deletion', [`DELETE FROM recovery_events WHERE recovery_id = :id AND sequence = 2`], ['event_missing']],
    [
      'an insertion among what is linked',
      [
        `INSERT INTO recovery_events SELECT client_id, recovery_id, 99, at, type, from_state, to_state, rule, inputs, actor, written_in
        FROM recovery_events WHERE recovery_id = :id AND sequence = 2`,
      ],
      ['event_not_linked'],
    ],
    [
      'a reordering',
      [
        `UPDATE recovery_events SET sequence = sequence + 100 WHERE recovery_id = :id AND sequence IN (2, 3)`,
        `UPDATE recovery_events SET sequence = CASE sequence WHEN 102 THEN 3 ELSE 2 END WHERE recovery_id = :id AND sequence > 100`,
      ],
      ['event_changed', 'event_changed'],
    ],
    [
      'a reordering of links',
      [
        `UPDATE audit_links SET number = number + 100 WHERE number IN (2, 3)`,
        `UPDATE audit_links SET number = CASE number WHEN 102 THEN 3 ELSE 2 END WHERE number > 100`,
      ],
      ['link_changed', 'link_changed', 'link_changed'],
    ],
    [
      'a cut of the newest events, links and all',
      [
        `DELETE FROM recovery_events e USING audit_links l WHERE l.recovery_id = e.recovery_id AND l.sequence = e.sequence
           AND l.number > (SELECT max(number) - 2 FROM audit_links)`,
        `DELETE FROM audit_links WHERE number > (SELECT max(number) - 2 FROM audit_links)`,
      ],
      ['head_mismatch'],
    ],
    [
      'a recovery made away with',
      [
        `DELETE FROM recovery_events WHERE recovery_id = :id`,
        `DELETE FROM attempts WHERE recovery_id = :id`,
        `DELETE FROM recoveries WHERE id = :id`,
      ],
      ['event_missing', 'event_missing', 'event_missing'],
    ],
    [
      'a recovery made away with, links and all',
      [`DELETE FROM recovery_events WHERE recovery_id = :id`, `DELETE FROM audit_links WHERE recovery_id = :id`],
      ['link_missing'],
    ],
    ['a chain made away with', ['DELETE FROM audit_links', 'DELETE FROM audit_heads'], null],
    [
      'a head that somebody else has signed',
      [`UPDATE audit_heads SET signature = repeat('A', 86) || '=='`],
      ['signature_invalid'],
    ],
  ])('finds %s', async (name, statements, expected) => {
    const found = await whileTampered(statements, kinds);
    if (expected) expect(found).toEqual(expected);
    else expect([name, new Set(found)]).toEqual([name, new Set(['event_not_linked'])]);
    expect(await kinds()).toEqual([]);
  });

  it('finds an edit whose links, and whose head, were made anew by somebody without the master key', async () => {
    const forged = async () => {
      const { rows } = await world.database.query<EventRow & { number: string }>(
        `SELECT l.number, ${EVENT_COLUMNS} FROM audit_links l JOIN recovery_events e USING (client_id, recovery_id, sequence)
         ORDER BY l.number`,
      );
      let hash = CHAIN_START;
      for (const { number, ...event } of rows) {
        const digest = digestOf(event);
        hash = linkHash(hash, Number(number), digest);
        const set = 'UPDATE audit_links SET digest = $2, hash = $3 WHERE number = $1';
        await intruder(set, [number, digest, hash]);
      }
      const unsigned = {
        clientId: merchant.clientId,
        number: rows.length,
        hash: hash.toString('hex'),
        at: new Date().toISOString(),
      };
      const head = signCheckpoint(unsigned, signingKey(Buffer.alloc(32, 1)));
      const set = 'UPDATE audit_heads SET hash = $1, public_key = $2, signature = $3, signed_at = $4';
      await intruder(set, [hash, head.publicKey, head.signature, head.at]);
      return kinds();
    };
    const edit = `UPDATE recovery_events SET actor = 'intruder' WHERE recovery_id = :id AND sequence = 2`;
    expect(await whileTampered([edit], forged)).toEqual(['signature_invalid']);
    expect(await kinds()).toEqual([]);
  });

  it('finds a cut that took the head along, by a checkpoint that was kept', async () => {
    const { data } = (await world.operator.get<Page<Checkpoint & Record<string, unknown>>>('/api/audit/checkpoints'))
      .body;
    const kept = data[0] as Checkpoint;
    expect(isSigned(kept)).toBe(true);
    const link = (number: number) =>
      world.operator.get<{ hash: string }>(`/api/audit/links/${kept.clientId}/${number}`);
    expect((await link(kept.number)).body.hash).toBe(kept.hash);
    expect((await link(kept.number + 1)).status).toBe(404);
    const cut = [`DELETE FROM audit_links WHERE number = ${kept.number}`];
    expect((await whileTampered(cut, () => link(kept.number))).status).toBe(404);
  });

  it('goes on behind what it has, whoever links', async () => {
    const before = (await audit()).links;
    await Promise.all(Array.from({ length: 10 }, () => merchant.execute()));
    await linked();
    expect((await audit()).links).toBeGreaterThanOrEqual(before + 20);
    expect(await kinds()).toEqual([]);
  });

  it('passes over no event whose transaction ends after younger ones', async () => {
    const writer = await world.database.connect();
    const { rows } = await world.database.query<{ sequence: string; to_state: string }>(
      `SELECT sequence, to_state FROM recovery_events WHERE recovery_id = $1 ORDER BY sequence DESC LIMIT 1`,
      [ids[0]],
    );
    const values = [merchant.clientId, ids[0], Number(rows[0]?.sequence) + 1, rows[0]?.to_state];
    await writer.query('BEGIN');
    await writer.query(
      `INSERT INTO recovery_events (client_id, recovery_id, sequence, at, type, from_state, to_state, rule, inputs, actor)
       VALUES ($1, $2, $3, now(), 'noted', $4, $4, 'test', '{}', 'test')`,
      values,
    );
    const younger = (await merchant.execute()).body.transactionId;
    await sleep(1_500);
    // What is younger waits for the older one, so that their order stays the order of their transactions.
    const links = `SELECT count(*)::int AS links FROM audit_links WHERE recovery_id = $1`;
    expect((await world.database.query(links, [younger])).rows).toEqual([{ links: 0 }]);
    await writer.query('COMMIT');
    writer.release();
    await linked();
    expect(await kinds()).toEqual([]);
    expect((await world.database.query(links, [younger])).rows[0]).not.toEqual({ links: 0 });
  });

  it('begins again when the database was restored into a server that numbers its transactions lower', async () => {
    await world.database.query('UPDATE audit_progress SET written_in = 1000000000000');
    await merchant.execute();
    // Until the next turn, what is new looks like what was put there.
    for (let look = 0; (await kinds()).length > 0 && look < 100; look += 1) await sleep(100);
    expect(await kinds()).toEqual([]);
    const { rows } = await world.database.query<{ missing: number }>(
      `SELECT (SELECT count(*) FROM recovery_events)::int - (SELECT count(*) FROM audit_links)::int AS missing`,
    );
    expect(rows).toEqual([{ missing: 0 }]);
  });

  it('is one chain, however many link at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => merchant.execute()));
    const chainer = world.app.service.app.get(Chainer);
    await Promise.all(Array.from({ length: 8 }, () => chainer.linkBatch()));
    await linked();
    expect(await world.app.service.app.get(Auditor).audit()).toMatchObject({ held: true });
  });

  it('answers as the contract says, to the operator alone', async () => {
    for (const path of ['/api/audit/verify', '/api/audit/checkpoints', `/api/audit/links/${merchant.clientId}/1`]) {
      expect((await world.operator.get(path)).status).toBe(200);
      expect([401, 403]).toContain((await merchant.api.get(path)).status);
    }
  });
});
