import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeTime } from 'ulid';

import { Receiver } from '../../test/support/receiver.js';
import { type TestEndpoint, WebhookRoom } from '../../test/support/webhook-room.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Log } from '../platform/logging/log.js';
import type { Dispatcher } from './dispatcher.js';
import { EndpointRepository } from './endpoint.repository.js';
import { Resender } from './resender.js';
import { Resends } from './resends.service.js';

describe('sending many again', () => {
  let room: WebhookRoom;
  let receiver: Receiver;
  let mailboxes = 0;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    room = await WebhookRoom.open();
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await room.stopDispatchers();
    await room.sql(`UPDATE webhook_resends SET status = 'stopped', finished_at = now() WHERE status = 'running'`);
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'exhausted', next_try_at = NULL WHERE status IN ('pending', 'held')`,
    );
  });
  afterAll(async () => {
    await room.close();
    await receiver.stop();
  });

  /** A process that works resends; it delivers as well unless told otherwise. */
  function startResender(dispatcher: Pick<Dispatcher, 'wake'> = { wake: () => undefined }): Resender {
    const works = new BackgroundWorks();
    const { database, ids, clock } = room;
    const resender = new Resender(database, dispatcher as Dispatcher, ids, clock, new Log('silent'), works);
    works.startAll();
    stops.push(() => works.stopAll());
    return resender;
  }

  const ordersOf = (resender: Resender) => new Resends(room.database, resender, room.ids, room.clock);
  /** Takes orders and works none. */
  const idle = () => ({ wake: () => undefined }) as Resender;

  async function merchant() {
    const clientId = await room.newClient();
    const path = `/resends/${++mailboxes}`;
    return { clientId, path, endpoint: await room.newEndpoint(clientId, receiver.url(path)) };
  }

  const enable = (endpoint: TestEndpoint, enabled: boolean) =>
    room.sql('UPDATE webhook_endpoints SET enabled = $2 WHERE id = $1', [endpoint.id, enabled]);

  async function tell(clientId: string, count: number, heldUntil?: Date): Promise<string[]> {
    const told: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const recovery = await room.newRecovery(clientId);
      const held = heldUntil === undefined ? {} : { heldUntil };
      const { eventIds } = await room.book(recovery, { events: ['recovery.failed'], state: 'failed', ...held });
      told.push(...eventIds);
    }
    return told;
  }

  const anHourAgo = () => new Date(Date.now() - 3_600_000).toISOString();
  const eventsAt = (path: string) => receiver.at(path).map(({ body }) => body.id);

  async function until<T>(read: () => Promise<T>, fits: (value: T) => boolean): Promise<T> {
    for (let waitedMs = 0; waitedMs < 15_000; waitedMs += 25) {
      const value = await read();
      if (fits(value)) return value;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`it stands at ${JSON.stringify(await read())}`);
  }

  it('counts first and sends nothing, also for an endpoint that is still disabled', async () => {
    const { clientId, path, endpoint } = await merchant();
    await enable(endpoint, false);
    await tell(clientId, 3);
    const orders = ordersOf(idle());
    expect(await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: true })).toEqual({
      ...{ count: 3, superseded: 0, resendId: null },
    });
    await expect(orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false })).rejects.toMatchObject({
      code: 'endpoint_not_enabled',
    });
    expect((await orders.list(clientId, { limit: 10 })).data).toEqual([]);
    expect(receiver.at(path)).toEqual([]);
  });

  it('sends what was given up, parked and never meant for it, the same bytes once each, and shows the progress', async () => {
    const { clientId, path, endpoint } = await merchant();
    const given = await tell(clientId, 2);
    await room.sql(`UPDATE webhook_deliveries SET status = 'exhausted', next_try_at = NULL WHERE client_id = $1`, [
      clientId,
    ]);
    const parked = await tell(clientId, 1);
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'endpoint_disabled', next_try_at = NULL WHERE client_id = $1 AND event_id = $2`,
      [clientId, parked[0]],
    );
    await enable(endpoint, false);
    const missed = await tell(clientId, 2);
    await enable(endpoint, true);
    const resender = startResender(room.startDispatcher());
    const orders = ordersOf(resender);
    const order = await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false });
    expect(order.count).toBe(5);
    const read = () => orders.read(clientId, order.resendId ?? '');
    const done = await until(read, ({ status }) => status === 'done');
    expect(done).toMatchObject({
      kind: 'missed',
      total: 5,
      queued: 5,
      delivered: 5,
      waiting: 0,
      failed: 0,
      superseded: 0,
    });
    expect(eventsAt(path).sort()).toEqual([...given, ...parked, ...missed].sort());
    expect((await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false })).resendId).toBeNull();
  });

  it('makes what is missing for an endpoint that was added later', async () => {
    const { clientId } = await merchant();
    const told = await tell(clientId, 2);
    const path = `/resends/${++mailboxes}`;
    const late = await room.newEndpoint(clientId, receiver.url(path));
    const orders = ordersOf(startResender(room.startDispatcher()));
    await orders.recover(clientId, late.id, { since: anHourAgo(), dryRun: false });
    await receiver.waitFor((each) => each.path === path, 2);
    expect(eventsAt(path).sort()).toEqual([...told].sort());
  });

  it('lets a hold go on, and leaves out what was withdrawn', async () => {
    const { clientId, path, endpoint } = await merchant();
    await enable(endpoint, false);
    await tell(clientId, 1, new Date('2100-01-01'));
    const paid = await room.newRecovery(clientId);
    const { eventIds } = await room.book(paid, { events: ['recovery.failed'], state: 'failed' });
    await room.sql('UPDATE webhook_events SET superseded_at = now() WHERE id = $1', eventIds);
    await enable(endpoint, true);
    const orders = ordersOf(startResender(room.startDispatcher()));
    const order = await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false });
    expect(order).toMatchObject({ count: 1, superseded: 1 });
    await until(
      () => orders.read(clientId, order.resendId ?? ''),
      ({ status, queued }) => status === 'sending' && queued === 1,
    );
    expect((await room.deliveries({ clientId })).map(({ status }) => status)).toEqual(['held']);
    expect(receiver.at(path)).toEqual([]);
  });

  it('leaves out what became untrue while the endpoint was away: counted beforehand, and recorded as withdrawn', async () => {
    const { clientId, path, endpoint } = await merchant();
    const [one, other] = [await room.newRecovery(clientId), await room.newRecovery(clientId)];
    await room.book(one, { events: ['recovery.failed'], state: 'failed' });
    const [parked] = await room.deliveries({ clientId });
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'endpoint_disabled', next_try_at = NULL WHERE client_id = $1`,
      [clientId],
    );
    await enable(endpoint, false);
    await room.book(other, { events: ['recovery.failed'], state: 'failed' });
    const stillOwed = await tell(clientId, 1);
    for (const recovery of [one, other]) await room.book(recovery, { events: [], state: 'succeeded' });
    const orders = ordersOf(idle());
    const since = anHourAgo();
    const counted = { count: 1, superseded: 2 };
    expect(await orders.recover(clientId, endpoint.id, { since, dryRun: true })).toMatchObject(counted);
    await enable(endpoint, true);
    expect(await orders.redeliver(clientId, { status: 'endpoint_disabled', dryRun: true })).toMatchObject({
      ...{ count: 0, superseded: 1 },
    });
    const working = ordersOf(startResender(room.startDispatcher()));
    const order = await working.recover(clientId, endpoint.id, { since, dryRun: false });
    expect(order).toMatchObject(counted);
    const done = await until(
      () => working.read(clientId, order.resendId ?? ''),
      ({ status }) => status === 'done',
    );
    expect(done).toMatchObject({ total: 1, queued: 1, delivered: 1 });
    expect(eventsAt(path)).toEqual(stillOwed);
    const standing = await room.deliveries({ clientId });
    expect(standing.find(({ id }) => id === parked?.id)?.status).toBe('superseded');
    const withdrawn = await room.sql(
      'SELECT count(*)::int AS count FROM webhook_events WHERE client_id = $1 AND superseded_at IS NOT NULL',
      [clientId],
    );
    expect(withdrawn).toEqual([{ count: 2 }]);
  });

  it('keeps at most a hundred in line, so that its receiver sets the pace', async () => {
    const { clientId, endpoint } = await merchant();
    await enable(endpoint, false);
    await tell(clientId, 130);
    await enable(endpoint, true);
    const orders = ordersOf(startResender());
    const order = await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false });
    const read = () => orders.read(clientId, order.resendId ?? '');
    await until(read, ({ queued }) => queued === 100);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await read()).toMatchObject({ status: 'queuing', total: 130, queued: 100, waiting: 100 });
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'delivered', next_try_at = NULL, delivered_at = now()
       WHERE client_id = $1 AND id IN (SELECT id FROM webhook_deliveries WHERE client_id = $1 AND status = 'pending' LIMIT 40)`,
      [clientId],
    );
    expect(await until(read, ({ queued }) => queued === 130)).toMatchObject({ delivered: 40, waiting: 90 });
  });

  it('goes on after a process died between two steps, and repeats nothing', async () => {
    const { clientId, endpoint } = await merchant();
    await enable(endpoint, false);
    const told = await tell(clientId, 130);
    await enable(endpoint, true);
    const orders = ordersOf(startResender());
    const { resendId } = await orders.recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false });
    const read = () => orders.read(clientId, resendId ?? '');
    await until(read, ({ queued }) => queued === 100);
    for (const stop of stops.splice(0)) await stop();
    // Another two processes, which know of nothing but the database.
    startResender(room.startDispatcher());
    startResender();
    expect(await until(read, ({ status }) => status === 'done')).toMatchObject({ queued: 130, delivered: 130 });
    const rows = await room.deliveries({ clientId });
    expect(rows.map(({ event_id }) => event_id).sort()).toEqual([...told].sort());
    expect(rows.every(({ try_count }) => try_count === 1)).toBe(true);
  });

  it('stops when its endpoint is disabled meanwhile', async () => {
    const { clientId, endpoint } = await merchant();
    await enable(endpoint, false);
    await tell(clientId, 2);
    await enable(endpoint, true);
    const { resendId } = await ordersOf(idle()).recover(clientId, endpoint.id, { since: anHourAgo(), dryRun: false });
    await enable(endpoint, false);
    const orders = ordersOf(startResender());
    const stopped = await until(
      () => orders.read(clientId, resendId ?? ''),
      ({ status }) => status !== 'queuing',
    );
    expect(stopped).toMatchObject({ status: 'stopped', queued: 0 });
  });

  it('counts as missed what was given up while the endpoint failed, and not what was given up before', async () => {
    const { clientId, endpoint } = await merchant();
    const [old = '', first = '', later = ''] = await tell(clientId, 3);
    const standing = (eventId: string, status: string, updatedAt: Date) =>
      room.sql(`UPDATE webhook_deliveries SET status = $2, updated_at = $3, next_try_at = NULL WHERE event_id = $1`, [
        eventId,
        status,
        updatedAt,
      ]);
    const failingSince = new Date(Date.now() + 1_000);
    await standing(old, 'exhausted', new Date(failingSince.getTime() - 1));
    await standing(first, 'exhausted', new Date(failingSince.getTime() + 1));
    await standing(later, 'endpoint_disabled', new Date(failingSince.getTime() + 2));
    await room.sql(`UPDATE webhook_endpoints SET enabled = false, disabled_at = $2, failing_since = $3 WHERE id = $1`, [
      endpoint.id,
      new Date(failingSince.getTime() + 2),
      failingSince,
    ]);
    const endpoints = new EndpointRepository(room.database);
    const row = await endpoints.find(clientId, endpoint.id);
    if (!row) throw new Error('no such endpoint');
    const since = await endpoints.missingSince(row);
    expect(since.getTime()).toBe(decodeTime(first.slice('evt_'.length)));
    const count = await ordersOf(idle()).countMissed(clientId, endpoint.id, since);
    expect(count).toBeGreaterThanOrEqual(2);
  });

  it('redelivers what fits a filter, and nothing else', async () => {
    const { clientId, path, endpoint } = await merchant();
    await tell(clientId, 3);
    const dispatcher = room.startDispatcher();
    const delivered = await room.until({ clientId }, ({ status }) => status === 'delivered');
    await room.sql(`UPDATE webhook_deliveries SET status = 'superseded' WHERE id = $1`, [delivered[2]?.id]);
    const orders = ordersOf(startResender(dispatcher));
    const count = async (filter: object) => (await orders.redeliver(clientId, { ...filter, dryRun: true })).count;
    expect(await count({ status: 'delivered' })).toBe(2);
    expect(await count({ endpointId: endpoint.id, createdTo: anHourAgo() })).toBe(0);
    expect(await count({ deliveryIds: [delivered[0]?.id ?? '', delivered[2]?.id ?? ''] })).toBe(1);
    await expect(orders.redeliver(clientId, { dryRun: true })).rejects.toMatchObject({ status: 400 });

    const { resendId } = await orders.redeliver(clientId, { status: 'delivered', dryRun: false });
    await until(
      () => orders.read(clientId, resendId ?? ''),
      ({ status }) => status === 'done',
    );
    await receiver.waitFor((each) => each.path === path, 5);
    expect(receiver.at(path).map(({ headers }) => headers['x-revtain-delivery-attempt'])).toEqual([
      '1',
      '1',
      '1',
      '2',
      '2',
    ]);
    await expect(orders.read(await room.newClient(), resendId ?? '')).rejects.toMatchObject({ status: 404 });
  });
});
