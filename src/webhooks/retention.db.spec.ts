import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { type TestRecovery, WebhookRoom } from '../../test/support/webhook-room.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { SystemClock } from '../platform/clock.js';
import { Log } from '../platform/logging/log.js';
import type { EventType } from './event-types.js';
import { Retention } from './retention.js';

const DAYS = 30;

/** So many days after an instant, for ever. */
class LaterClock extends SystemClock {
  constructor(private readonly from: Date) {
    super();
  }

  override now(): Date {
    return new Date(this.from.getTime() + DAYS * 86_400_000);
  }
}

describe('the retention of the delivery log', () => {
  let room: WebhookRoom;
  let clientId: string;

  beforeAll(async () => {
    room = await WebhookRoom.open();
    clientId = await room.newClient();
    await room.newEndpoint(clientId, 'http://127.0.0.1:1/', [
      'recovery.success',
      'recovery.blocked',
      'recovery.failed',
    ]);
  });
  afterAll(() => room.close());

  /** Sweeps as a process does for which an instant lies just as far back as the log is kept. */
  function sweep(upTo: Date): Promise<number> {
    const config = { egressPorts: [443], allowLoopback: true, egressProxy: null, webhookRetentionDays: null };
    const { database } = room;
    return new Retention(database, new LaterClock(upTo), new Log('silent'), config, new BackgroundWorks()).sweep(DAYS);
  }

  async function tell(event: EventType, status: string, recovery?: TestRecovery): Promise<TestRecovery> {
    const about = recovery ?? (await room.newRecovery(clientId));
    const state =
      event === 'recovery.success' ? 'succeeded' : event === 'recovery.failed' ? 'cancelled' : 'action_required';
    await room.book(about, { events: [event], state });
    await room.sql(
      `UPDATE webhook_deliveries SET status = $2, next_try_at = CASE $2 WHEN 'pending' THEN now() + interval '1 day' END
       WHERE recovery_id = $1 AND endpoint_sequence IS NULL`,
      [about.id, status],
    );
    await room.sql(
      `INSERT INTO webhook_tries (client_id, delivery_id, number, at, duration_ms)
       SELECT client_id, id, 1, now(), 5 FROM webhook_deliveries WHERE recovery_id = $1 ON CONFLICT DO NOTHING`,
      [about.id],
    );
    return about;
  }

  async function rowsOf({ id }: TestRecovery) {
    const [row] = await room.sql<{ events: number; deliveries: number; tries: number }>(
      `SELECT (SELECT count(*)::int FROM webhook_events WHERE recovery_id = $1) AS events,
         (SELECT count(*)::int FROM webhook_deliveries WHERE recovery_id = $1) AS deliveries,
         (SELECT count(*)::int FROM webhook_tries t JOIN webhook_deliveries d
            ON d.client_id = t.client_id AND d.id = t.delivery_id WHERE d.recovery_id = $1) AS tries`,
      [id],
    );
    return row;
  }

  it('deletes what is old and over, with its tries, and nothing that something may still follow', async () => {
    const over = await tell('recovery.success', 'delivered');
    const givenUp = await tell('recovery.failed', 'exhausted');
    const waiting = await tell('recovery.success', 'pending');
    const open = await tell('recovery.blocked', 'delivered');
    const touched = await tell('recovery.success', 'exhausted');
    const followed = await tell('recovery.blocked', 'delivered');
    await sleep(10);
    const marker = new Date();
    await sleep(10);
    await room.sql('UPDATE webhook_deliveries SET updated_at = now() WHERE recovery_id = $1', [touched.id]);
    await tell('recovery.success', 'delivered', followed);
    const fresh = await tell('recovery.success', 'delivered');

    expect(await sweep(marker)).toBe(2);
    const gone = { events: 0, deliveries: 0, tries: 0 };
    expect([await rowsOf(over), await rowsOf(givenUp)]).toEqual([gone, gone]);
    const kept = { events: 1, deliveries: 1, tries: 1 };
    for (const each of [waiting, open, touched, fresh]) expect(await rowsOf(each)).toEqual(kept);
    expect(await rowsOf(followed)).toEqual({ events: 2, deliveries: 2, tries: 2 });
    expect(await sweep(marker)).toBe(0);
  });

  it('gets past what it must keep, page by page', async () => {
    const other = await room.newClient();
    await room.sql(
      `INSERT INTO webhook_events (client_id, id, recovery_id, type, is_default, body, created_at)
       SELECT $1, 'evt_01KB' || lpad(n::text, 22, '0'), NULL, 'webhook.test', false, '\\x7b7d', now()
       FROM generate_series(1, 1100) n`,
      [other],
    );
    await room.sql(`UPDATE webhook_events SET recovery_id = $2 WHERE client_id = $1 AND right(id, 10)::int <= 600`, [
      other,
      (await room.newRecovery(other)).id,
    ]);
    await sweep(new Date());
    const left = await room.sql('SELECT id FROM webhook_events WHERE client_id = $1', [other]);
    expect(left).toHaveLength(600);
  });

  it('is no business of a request', async () => {
    const work = room.database.query({ role: 'tenant', clientId }, { text: 'DELETE FROM webhook_tries' });
    await expect(work).rejects.toThrow('permission denied');
  });
});
