import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { AlertsWorker } from '../../src/alerts/alerts-worker.js';
import { MessageStore } from '../../src/alerts/message-store.js';
import { TurnStore } from '../../src/alerts/turn-store.js';
import { Database, type OwnTransaction, type Scope } from '../../src/platform/db/database.js';
import { AlertRoom, type RaisedAlert } from '../support/alert-room.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const GROUP_WAIT_MS = 30 * SECOND_MS;

let room: AlertRoom;

beforeAll(async () => {
  room = await AlertRoom.open();
});

beforeEach(() => {
  room.mail.received.length = 0;
  room.fakes.calls.length = 0;
});

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  expect(room.fakes.complaints).toEqual([]);
  await room.close();
});

const EMAIL = { notificationChannels: ['EMAIL'], alertEmails: ['ops@acme.example'] };
const failure = (amount: number, currency: string): RaisedAlert => ({
  kind: 'recovery_failed',
  severity: 'info',
  facts: { transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF', amount, currency, bucket: 'hard' },
});

/** Lets the lease of a process that is gone run out, as a minute would. */
const endLeases = () =>
  room.sql(`UPDATE alert_messages SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`);

/** Lets the process die at its so many-th statement: that one and every later one is never sent. */
function dieAt(database: Database, statement: number): { came: () => boolean } {
  let sent = 0;
  const send = () => {
    sent += 1;
    if (sent >= statement) throw new Error('killed');
  };
  const transaction = database.transaction.bind(database);
  const flight = database.flight.bind(database);
  jest.spyOn(database, 'flight').mockImplementation(async (scope, statements) => {
    send();
    return flight(scope, statements);
  });
  const counting = (tx: OwnTransaction): OwnTransaction => ({
    query: (each) => {
      send();
      return tx.query(each);
    },
    flight: (each) => tx.flight(each),
    end: (each) => tx.end(each),
  });
  const counted = async (scope: Scope, work: (tx: OwnTransaction) => Promise<unknown>) =>
    transaction(scope, (tx) => work(counting(tx)));
  jest.spyOn(database, 'transaction').mockImplementation(counted);
  return { came: () => sent >= statement };
}

describe('a storm', () => {
  it('of 10,000 failures in an hour makes 13 e-mails and 2 text messages at most, and nothing is missing from them', async () => {
    const kinds = { recovery_failed: { channels: ['EMAIL', 'SMS'] } };
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SMS'],
      alertEmails: ['ops@acme.example'],
      alertPhones: ['+15005550010'],
      alertSettings: { kinds },
    });
    for (let step = 0; step < 100; step += 1) {
      const alerts = Array.from({ length: 100 }, (_, index) => failure(100 + step, index % 2 === 0 ? 'USD' : 'JPY'));
      await room.raiseMany(client, alerts);
      await room.pass(36 * SECOND_MS);
    }
    await room.pass(3 * HOUR_MS, 30 * MINUTE_MS);

    const texts = room.fakes.at(/Messages\.json$/);
    expect(room.mail.received.length).toBeLessThanOrEqual(13);
    expect(texts.length).toBeLessThanOrEqual(2);
    const log = await room.log(client);
    for (const channel of ['EMAIL', 'SMS']) {
      const told = log
        .filter((row) => row['channel'] === channel)
        .flatMap((row) => row['alerts'] as { count: number; amounts: { amount: number; currency: string }[] }[]);
      const sumOf = (currency: string) =>
        told
          .flatMap(({ amounts }) => amounts)
          .filter((each) => each.currency === currency)
          .reduce((sum, { amount }) => sum + amount, 0);
      // 50 of each currency in each of the hundred steps.
      const expected = 50 * (100 * 100 + (99 * 100) / 2);
      expect({
        channel,
        count: told.reduce((sum, { count }) => sum + count, 0),
        usd: sumOf('USD'),
        jpy: sumOf('JPY'),
      }).toEqual({
        channel,
        count: 10_000,
        usd: expected,
        jpy: expected,
      });
    }
    // What people read says the same.
    const read = room.mail.received.map(({ mail }) =>
      Number(/: ([\d,]+) recover/.exec(mail.subject ?? '')?.[1]?.replaceAll(',', '')),
    );
    expect(read.reduce((sum, count) => sum + count, 0)).toBe(10_000);
  });
});

describe('a process that dies', () => {
  it('while it decides has told nothing and lost nothing', async () => {
    const client = await room.client(EMAIL);
    await room.raise(client);
    room.clock.advance(GROUP_WAIT_MS);
    const { app } = room.app.service;
    const deaths = [
      jest.spyOn(app.get(MessageStore), 'insert').mockRejectedValueOnce(new Error('killed')),
      jest.spyOn(app.get(TurnStore), 'endTurn').mockRejectedValueOnce(new Error('killed')),
    ];
    for (const death of deaths) {
      await room.work();
      expect(death).toHaveBeenCalledTimes(1);
      expect(room.mail.received).toEqual([]);
    }
    await room.work();
    expect(room.mail.received).toHaveLength(1);
  });

  it('at any statement at all loses nothing, and tells twice only what had arrived and was not noted', async () => {
    const database = room.app.service.app.get(Database);
    let survived = false;
    for (let statement = 1; !survived; statement += 1) {
      const client = await room.client({ ...EMAIL, alertEmails: [`ops_${statement}@acme.example`] });
      await room.raiseMany(client, [{}, { kind: 'paid_twice', severity: 'critical' }]);
      room.clock.advance(2 * HOUR_MS);
      const death = dieAt(database, statement);
      await room.work().catch((error: unknown) => expect(String(error)).toContain('killed'));
      survived = !death.came();
      jest.restoreAllMocks();
      const arrived = room.mail.received.length;
      await endLeases();
      await room.work();
      await room.pass(HOUR_MS, 10 * MINUTE_MS);
      const told = (await room.log(client)).flatMap((row) => row['alerts'] as { kind: string; count: number }[]);
      expect({ statement, told: told.map(({ kind, count }) => `${kind} ${count}`).sort() }).toEqual({
        statement,
        told: ['late_success 1', 'paid_twice 1'],
      });
      const ids = room.mail.received.map(({ headers }) => headers['message-id']);
      expect({ statement, mails: new Set(ids).size }).toEqual({ statement, mails: 2 });
      expect(ids.length - 2).toBeLessThanOrEqual(arrived);
      room.mail.received.length = 0;
      if (statement > 100) throw new Error('no round is that long');
    }
  });

  it('before it sends leaves the message to another, once', async () => {
    const client = await room.client(EMAIL);
    const other = await room.another();
    try {
      await room.raise(client);
      room.clock.advance(GROUP_WAIT_MS);
      await room.app.service.app
        .get(AlertsWorker)
        .round()
        .then(() => room.app.service.app.get(AlertsWorker).settled());
      await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
      room.clock.advance(GROUP_WAIT_MS);
      const messages = room.app.service.app.get(MessageStore);
      jest.spyOn(messages, 'claimDue').mockResolvedValueOnce([]);
      await room.work();
      jest.restoreAllMocks();
      expect(await messages.claimDue(room.clock.now(), 10)).toHaveLength(1);
      await room.work(other);
      expect(room.mail.received).toHaveLength(1);
      await endLeases();
      await room.work(other);
      await room.work();
      expect(room.mail.received.map(({ mail }) => mail.subject?.replace(/^.*?: /, ''))).toEqual([
        '1 late payment after a failure',
        '1 debt paid twice',
      ]);
    } finally {
      await other.stop();
    }
  });

  it('after it has sent and before it noted that sends again, under the same Message-ID: the one window there is', async () => {
    const client = await room.client(EMAIL);
    await room.raise(client);
    room.clock.advance(GROUP_WAIT_MS);
    jest.spyOn(room.app.service.app.get(MessageStore), 'settleSent').mockRejectedValueOnce(new Error('killed'));
    await room.work();
    expect(await room.log(client)).toMatchObject([{ status: 'queued', tryCount: 1 }]);
    await endLeases();
    await room.work();
    await room.pass(HOUR_MS);
    expect(room.mail.received).toHaveLength(2);
    expect(new Set(room.mail.received.map(({ headers }) => headers['message-id'])).size).toBe(1);
    expect(await room.log(client)).toMatchObject([{ status: 'sent', tryCount: 2 }]);
  });

  it('at no point makes two of one alert where several work at once', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => room.client(EMAIL)));
    const other = await room.another();
    try {
      for (let turn = 0; turn < 5; turn += 1) {
        for (const client of clients) await room.raiseMany(client, [{}, { kind: 'paid_twice', severity: 'critical' }]);
        room.clock.advance(6 * MINUTE_MS);
        await Promise.all([room.work(), room.work(other), room.work(), room.work(other)]);
      }
      for (let turn = 0; turn < 3; turn += 1) await room.pass(HOUR_MS);
      for (const client of clients) {
        const told = (await room.log(client)).flatMap((row) => row['alerts'] as { kind: string; count: number }[]);
        const countOf = (kind: string) =>
          told.filter((each) => each.kind === kind).reduce((sum, { count }) => sum + count, 0);
        expect([countOf('late_success'), countOf('paid_twice')]).toEqual([5, 5]);
      }
      const ids = room.mail.received.map(({ headers }) => headers['message-id']);
      expect(new Set(ids).size).toBe(ids.length);
    } finally {
      await other.stop();
    }
  });
});
