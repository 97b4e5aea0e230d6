import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { assertSigned, Receiver } from '../../test/support/receiver.js';
import { WebhookRoom } from '../../test/support/webhook-room.js';
import { QUEUE_AGAIN, READ_TRIES } from './delivery-log-sql.js';
import type { ClaimedDelivery, TryResult } from './delivery-store.js';
import { IN_FLIGHT_UNPROVEN } from './sending-window.js';

describe('the dispatcher', () => {
  let room: WebhookRoom;
  let receiver: Receiver;
  let mailboxes = 0;
  const silent: Server[] = [];

  beforeAll(async () => {
    room = await WebhookRoom.open();
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await room.stopDispatchers();
    for (const server of silent.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    // What one test leaves waiting must not keep the next one's dispatcher busy.
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'exhausted', next_try_at = NULL WHERE status IN ('pending', 'held')`,
    );
  });
  afterAll(async () => {
    await room.close();
    await receiver.stop();
  });

  async function merchant(events: Parameters<WebhookRoom['newEndpoint']>[2] = null) {
    const clientId = await room.newClient();
    const path = `/hooks/${++mailboxes}`;
    const endpoint = await room.newEndpoint(clientId, receiver.url(path), events);
    return { clientId, path, endpoint };
  }

  /** Takes requests and never answers one. */
  async function silence(): Promise<{ url: string; taken: () => number }> {
    let taken = 0;
    const server = createServer(() => {
      taken += 1;
    });
    silent.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, taken: () => taken };
  }

  const eventsAt = (path: string) => receiver.at(path).map(({ body, answeredWith }) => `${body.event} ${answeredWith}`);

  it('delivers an event signed, with its headers and its bytes, and writes that down', async () => {
    const { clientId, path, endpoint } = await merchant();
    const recovery = await room.newRecovery(clientId);
    const { eventIds } = await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
    room.startDispatcher();
    const [delivery] = await room.until(recovery, ({ status }) => status === 'delivered');

    const [webhook] = receiver.at(path);
    if (!webhook || !delivery) throw new Error('nothing came');
    assertSigned(webhook, endpoint.secret);
    expect(webhook.headers).toMatchObject({
      'content-type': 'application/json',
      'x-revtain-delivery-attempt': '1',
      'x-revtain-sequence': '1',
      'webhook-id': eventIds[0],
      'user-agent': expect.stringMatching(/^Revtain-Webhooks\/\d+\.\d+\.\d+$/),
    });
    const [stored] = await room.sql<{ body: Buffer }>('SELECT body FROM webhook_events WHERE id = $1', eventIds);
    expect(webhook.bytes).toEqual(stored?.body);
    expect(delivery).toMatchObject({ try_count: 1, last_status: 200, last_error: null, next_try_at: null });
    const tries = await room.sql(READ_TRIES, [clientId, delivery.id]);
    expect(tries).toMatchObject([{ number: 1, status: 200, error: null }]);
  });

  it('tries again after about two seconds with the same id, the same bytes and a new signature', async () => {
    const { clientId, path, endpoint } = await merchant();
    receiver.answer(path, { status: 500 });
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    await room.until(recovery, ({ status }) => status === 'delivered');

    const [first, second] = receiver.at(path);
    if (!first || !second) throw new Error('two tries were expected');
    expect(second.bytes).toEqual(first.bytes);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp']);
    expect(second.headers).toMatchObject({ 'x-revtain-delivery-attempt': '2', 'x-revtain-sequence': '1' });
    assertSigned(second, endpoint.secret);
    const pauseMs = second.receivedAt.getTime() - first.receivedAt.getTime();
    expect(pauseMs).toBeGreaterThanOrEqual(1_790);
    expect(pauseMs).toBeLessThan(2_700);
  });

  it('waits as long as Retry-After asks', async () => {
    const { clientId, path } = await merchant();
    receiver.answer(path, { status: 429, headers: { 'Retry-After': '3600' } });
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    const [delivery] = await room.until(recovery, ({ last_status }) => last_status === 429);
    const waitMs = (delivery?.next_try_at?.getTime() ?? 0) - Date.now();
    expect(waitMs).toBeGreaterThan(3_590_000);
    expect(waitMs).toBeLessThan(3_970_000);
  });

  it('gives up after ten tries, and says so', async () => {
    const { clientId, path } = await merchant();
    receiver.answer(path, ...Array.from({ length: 10 }, () => ({ status: 503 })));
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    for (let number = 1; number <= 10; number += 1) {
      await room.until(recovery, ({ schedule_step }) => schedule_step >= number);
      await room.hurry(clientId);
    }
    const [delivery] = await room.until(recovery, ({ status }) => status === 'exhausted');
    expect(delivery).toMatchObject({ try_count: 10, last_status: 503, next_try_at: null });
    expect(receiver.at(path)).toHaveLength(10);
    const [endpoint] = await room.sql('SELECT failing_since FROM webhook_endpoints WHERE client_id = $1', [clientId]);
    expect(endpoint?.['failing_since']).toBeInstanceOf(Date);
  });

  it('takes a redirect for a failure and does not follow it', async () => {
    const { clientId, path } = await merchant();
    receiver.answer(path, { status: 302, headers: { Location: receiver.url(`${path}/elsewhere`) } });
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    await room.until(recovery, ({ last_status }) => last_status === 302);
    expect(receiver.at(`${path}/elsewhere`)).toEqual([]);
  });

  it('tells nothing but "could not connect" when no answer comes', async () => {
    const clientId = await room.newClient();
    await room.newEndpoint(clientId, 'http://127.0.0.1:1/hook');
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    const [delivery] = await room.until(recovery, ({ schedule_step }) => schedule_step === 1);
    expect(delivery).toMatchObject({ status: 'pending', last_error: 'could not connect', last_status: null });
  });

  it('disables an endpoint that answers 410, parks what waits for it, and alerts once', async () => {
    const { clientId, path } = await merchant();
    receiver.answer(path, { status: 410 });
    const gone = await room.newRecovery(clientId);
    const waiting = await room.newRecovery(clientId);
    await room.book(waiting, { events: ['recovery.failed'], state: 'failed', heldUntil: new Date('2100-01-01') });
    await room.book(gone, { events: ['recovery.failed'], state: 'failed' });
    room.startDispatcher();
    await room.until({ clientId }, ({ status }) => status === 'endpoint_disabled');
    expect(receiver.at(path)).toHaveLength(1);
    const [endpoint] = await room.sql('SELECT enabled, disabled_reason FROM webhook_endpoints WHERE client_id = $1', [
      clientId,
    ]);
    expect(endpoint).toEqual({ enabled: false, disabled_reason: 'gone' });
    expect(await room.sql('SELECT kind FROM operator_alerts WHERE client_id = $1', [clientId])).toEqual([
      { kind: 'webhook_endpoint_disabled' },
    ]);
  });

  it('sends one recovery in order, numbered without a gap, while another one overtakes', async () => {
    const { clientId, path } = await merchant(['recovery.scheduled', 'recovery.attempt_failed', 'recovery.success']);
    receiver.answer(path, { status: 500 });
    const slow = await room.newRecovery(clientId);
    await room.book(slow, { events: ['recovery.scheduled'] });
    const dispatcher = room.startDispatcher();
    await room.until(slow, ({ last_status }) => last_status === 500);
    await room.book(slow, { events: ['recovery.attempt_failed', 'recovery.success'], state: 'succeeded' });
    const quick = await room.newRecovery(clientId);
    await room.book(quick, { events: ['recovery.success'], state: 'succeeded' });
    dispatcher.wake();
    await room.until(quick, ({ status }) => status === 'delivered');
    expect((await room.deliveries(slow)).map(({ status }) => status)).toEqual(['pending', 'pending', 'pending']);
    await room.until(slow, ({ status }) => status === 'delivered');

    const ofSlow = receiver.at(path).filter(({ body }) => body.revtainTransactionId === slow.id);
    expect(ofSlow.map(({ body, headers }) => [body.event, headers['x-revtain-sequence']])).toEqual([
      ['recovery.scheduled', '1'],
      ['recovery.scheduled', '1'],
      ['recovery.attempt_failed', '2'],
      ['recovery.success', '3'],
    ]);
  });

  it('numbers each endpoint for itself', async () => {
    const { clientId, path } = await merchant();
    const other = `/hooks/${++mailboxes}`;
    await room.newEndpoint(clientId, receiver.url(other), ['recovery.success']);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.blocked'] });
    await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
    room.startDispatcher();
    await room.until({ clientId }, ({ status }) => status === 'delivered');
    expect(receiver.at(path).map(({ headers }) => headers['x-revtain-sequence'])).toEqual(['1', '2']);
    expect(receiver.at(other).map(({ headers }) => headers['x-revtain-sequence'])).toEqual(['1']);
  });

  it('does not let an endpoint that never answers slow a healthy one', async () => {
    const { clientId, path } = await merchant();
    const dead = await silence();
    const unlucky = await room.newClient();
    await room.newEndpoint(unlucky, dead.url);
    for (let count = 0; count < 40; count += 1) {
      await room.book(await room.newRecovery(unlucky), { events: ['recovery.success'], state: 'succeeded' });
    }
    const dispatcher = room.startDispatcher();
    while (dead.taken() < 8) await new Promise((resolve) => setTimeout(resolve, 10));
    const bookedAt = Date.now();
    for (let count = 0; count < 30; count += 1) {
      await room.book(await room.newRecovery(clientId), { events: ['recovery.success'], state: 'succeeded' });
      dispatcher.wake();
    }
    await room.until({ clientId }, ({ status }) => status === 'delivered');
    expect(Date.now() - bookedAt).toBeLessThan(2_000);
    expect(receiver.at(path)).toHaveLength(30);
    expect(dead.taken()).toBe(8);
    // Lets the dispatcher stop without waiting for the dead one's deadline.
    silent[0]?.closeAllConnections();
  });

  it('keeps places for healthy endpoints when a hundred others do not answer', async () => {
    const { clientId, path } = await merchant();
    await room.book(await room.newRecovery(clientId), { events: ['recovery.success'], state: 'succeeded' });
    const dispatcher = room.startDispatcher();
    await room.until({ clientId }, ({ status }) => status === 'delivered');
    const dead = await silence();
    for (let count = 0; count < 10; count += 1) {
      const unlucky = await room.newClient();
      for (let each = 0; each < 10; each += 1) await room.newEndpoint(unlucky, dead.url);
      await room.book(await room.newRecovery(unlucky), { events: ['recovery.success'], state: 'succeeded' });
    }
    dispatcher.wake();
    // Those that nobody knows yet take half of the places, and no more.
    while (dead.taken() < IN_FLIGHT_UNPROVEN) await new Promise((resolve) => setTimeout(resolve, 10));
    const latenciesMs: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const bookedAt = Date.now();
      await room.book(await room.newRecovery(clientId), { events: ['recovery.success'], state: 'succeeded' });
      dispatcher.wake();
      await receiver.waitFor((each) => each.path === path, count + 2);
      latenciesMs.push(Date.now() - bookedAt);
    }
    expect(Math.max(...latenciesMs)).toBeLessThan(1_000);
    expect(dead.taken()).toBe(IN_FLIGHT_UNPROVEN);
    silent[0]?.closeAllConnections();
  });

  describe('looking again before a try', () => {
    it('does not repeat a failure whose debt was paid meanwhile, and lets the success pass at once', async () => {
      const { clientId, path } = await merchant();
      receiver.answer(path, { status: 500, headers: { 'Retry-After': '3' } });
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      const dispatcher = room.startDispatcher();
      await room.until(recovery, ({ last_status }) => last_status === 500);
      await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
      dispatcher.wake();
      await room.until(
        recovery,
        ({ type, status }) => status === (type === 'recovery.failed' ? 'superseded' : 'delivered'),
      );
      expect(eventsAt(path)).toEqual(['recovery.failed 500', 'recovery.success 200']);
    });

    it('withdraws one whose debt was paid by a way that told no delivery', async () => {
      const { clientId, path } = await merchant();
      const recovery = await room.newRecovery(clientId, 'inv_quiet');
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      // As when a newer recovery of the debt is stored as paid in the statement that accepts it.
      const newer = await room.newRecovery(clientId, 'inv_quiet');
      await room.sql(
        `UPDATE recoveries SET state = 'succeeded', sequence = 1, recovered_at = now(), due_at = NULL, due_kind = NULL WHERE id = $1`,
        [newer.id],
      );
      room.startDispatcher();
      await room.until(recovery, ({ status }) => status === 'superseded');
      expect(receiver.at(path)).toEqual([]);
      const [event] = await room.sql('SELECT superseded_at FROM webhook_events WHERE recovery_id = $1', [recovery.id]);
      expect(event?.['superseded_at']).toBeInstanceOf(Date);
    });

    it('lets a success overtake a failure that is being retried for the same recovery', async () => {
      const { clientId, path } = await merchant();
      receiver.answer(path, { status: 500, headers: { 'Retry-After': '3600' } });
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      const dispatcher = room.startDispatcher();
      await room.until(recovery, ({ last_status }) => last_status === 500);
      // The failure is on the wire again at the very moment of the booking, so that the booking can not withdraw it.
      await room.sql(
        `UPDATE webhook_deliveries SET lease_until = clock_timestamp() + interval '1 second' WHERE recovery_id = $1`,
        [recovery.id],
      );
      await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
      dispatcher.wake();
      await room.until(recovery, ({ type, status }) => type === 'recovery.failed' || status === 'delivered');
      expect(eventsAt(path)).toEqual(['recovery.failed 500', 'recovery.success 200']);
    });
  });

  describe('holding', () => {
    it('sends what is held when the client clock has passed its time, and not before', async () => {
      const { clientId, path } = await merchant();
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, {
        events: ['recovery.failed'],
        state: 'failed',
        heldUntil: new Date(Date.now() + 3_600_000),
      });
      const dispatcher = room.startDispatcher();
      await dispatcher.handOver(clientId);
      expect(receiver.at(path)).toEqual([]);
      await room.sql('UPDATE clients SET clock_offset_ms = 3600001 WHERE id = $1', [clientId]);
      await room.until(recovery, ({ status }) => status === 'delivered');
      expect(eventsAt(path)).toEqual(['recovery.failed 200']);
    });

    it('is released by a walker of the clock, which hears how many there were', async () => {
      const { clientId, path } = await merchant();
      const recovery = await room.newRecovery(clientId);
      const heldUntil = new Date(Date.now() + 3_600_000);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed', heldUntil });
      const dispatcher = room.startDispatcher();
      expect(await dispatcher.releaseHeldOf(clientId, new Date(heldUntil.getTime() - 1))).toBe(0);
      expect(await dispatcher.releaseHeldOf(clientId, heldUntil)).toBe(1);
      await dispatcher.handOver(clientId);
      const [delivery] = await room.deliveries(recovery);
      expect(delivery?.try_count).toBe(1);
      await receiver.waitFor((webhook) => webhook.path === path);
    });
  });

  describe('when a process dies', () => {
    it('sends what it had on the wire again, with the same id and bytes, once its lease has run out', async () => {
      const { clientId, path } = await merchant();
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      // The receiver got it; the process died before it could write that down.
      const { claimed } = await room.store.claimDue(new Date(), {
        perEndpoint: 8,
        rooms: new Map(),
        inAll: 8,
        failing: 8,
      });
      const [lost] = claimed;
      if (!lost) throw new Error('nothing was claimed');
      await room.sender.send(lost.endpoint, lost);
      room.startDispatcher();
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(receiver.at(path)).toHaveLength(1);
      await room.sql(
        `UPDATE webhook_deliveries SET lease_until = now() - interval '1 ms', next_try_at = now() WHERE id = $1`,
        [lost.id],
      );
      await room.until(recovery, ({ status }) => status === 'delivered');
      const [first, second] = receiver.at(path);
      expect(second?.bytes).toEqual(first?.bytes);
      expect(second?.headers).toMatchObject({
        'webhook-id': first?.headers['webhook-id'],
        'x-revtain-delivery-attempt': '2',
        'x-revtain-sequence': '1',
      });
    });

    it('does not let the word of a lost lease undo what its successor did', async () => {
      const { clientId } = await merchant();
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 8, failing: 8 };
      const [stale] = (await room.store.claimDue(new Date(), limits)).claimed;
      await room.sql(`UPDATE webhook_deliveries SET lease_until = NULL, next_try_at = now() WHERE id = $1`, [
        stale?.id,
      ]);
      const [fresh] = (await room.store.claimDue(new Date(Date.now() + 1_000), limits)).claimed;
      if (!stale || !fresh) throw new Error('two claims were expected');
      const result = (claim: typeof stale, verdict: 'delivered' | 'exhausted') => ({
        ...{
          clientId,
          deliveryId: claim.id,
          endpointId: claim.endpoint.id,
          leaseToken: claim.leaseToken,
          number: claim.tryNumber,
        },
        ...{ at: new Date(), durationMs: 1, status: 200, error: null, responseExcerpt: null, verdict, nextTryAt: null },
        ...{ throttle: null, isProbe: false },
      });
      await room.store.settle(new Date(), [result(stale, 'exhausted')]);
      expect((await room.deliveries(recovery))[0]?.status).toBe('pending');
      await room.store.settle(new Date(), [result(fresh, 'delivered')]);
      await room.store.settle(new Date(), [result(stale, 'exhausted')]);
      expect((await room.deliveries(recovery))[0]?.status).toBe('delivered');
    });

    it('writes the try of a lost lease into the log, and none of a delivery that is gone', async () => {
      const { clientId, endpoint } = await merchant();
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 8, failing: 8 };
      const [claimed] = (await room.store.claimDue(new Date(), limits)).claimed;
      const result = (deliveryId: string) => ({
        ...{
          clientId,
          deliveryId,
          endpointId: endpoint.id,
          leaseToken: '99',
          number: 1,
          at: new Date(),
          durationMs: 1,
        },
        ...{ status: 500, error: null, responseExcerpt: 'a "quoted" \\ word', verdict: 'exhausted' as const },
        ...{ nextTryAt: null, throttle: null, isProbe: false },
      });
      await room.store.settle(new Date(), [result('dlv_gone'), result(claimed?.id ?? '')]);
      expect(
        await room.sql('SELECT delivery_id, response_excerpt FROM webhook_tries WHERE client_id = $1', [clientId]),
      ).toEqual([{ delivery_id: claimed?.id, response_excerpt: 'a "quoted" \\ word' }]);
      expect((await room.deliveries(recovery))[0]?.status).toBe('pending');
    });

    it('tells each try once: the first that was received, written twice, and that of a redelivery', async () => {
      const { clientId } = await merchant();
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed' });
      const claim = async (): Promise<ClaimedDelivery> => {
        const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 8, failing: 8 };
        const [claimed] = (await room.store.claimDue(new Date(), limits)).claimed;
        if (!claimed) throw new Error('nothing was claimed');
        return claimed;
      };
      const received = ({ id, endpoint, leaseToken, tryNumber }: ClaimedDelivery): TryResult => ({
        ...{ clientId, deliveryId: id, endpointId: endpoint.id, leaseToken, number: tryNumber, at: new Date() },
        ...{ durationMs: 7, status: 204, error: null, responseExcerpt: null, verdict: 'delivered' },
        ...{ nextTryAt: null, throttle: null, isProbe: false },
      });
      const first = received(await claim());
      await room.store.settle(new Date(), [first]);
      await room.store.settle(new Date(), [first]);
      const shown = { at: first.at, duration_ms: 7, status: 204, error: null };
      expect(await room.sql(READ_TRIES, [clientId, first.deliveryId])).toEqual([{ number: 1, ...shown }]);

      await room.sql(QUEUE_AGAIN, [clientId, first.deliveryId, new Date()]);
      const again = received(await claim());
      await room.store.settle(new Date(), [again]);
      expect(await room.sql(READ_TRIES, [clientId, first.deliveryId])).toEqual([
        { number: 1, ...shown },
        { number: 2, ...shown, at: again.at },
      ]);
    });

    it('wakes what stood in line behind a delivery as soon as that one has ended', async () => {
      const { clientId } = await merchant(['recovery.scheduled', 'recovery.success']);
      const recovery = await room.newRecovery(clientId);
      const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 8, failing: 8 };
      await room.book(recovery, { events: ['recovery.scheduled'] });
      const [first] = (await room.store.claimDue(new Date(), limits)).claimed;
      if (!first) throw new Error('nothing was claimed');
      // Booked while the first one is on the wire.
      await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
      expect(await room.store.claimDue(new Date(), limits)).toEqual({ claimed: [], seen: 1 });
      const ended = {
        ...{ clientId, deliveryId: first.id, endpointId: first.endpoint.id, leaseToken: first.leaseToken, number: 1 },
        ...{ at: new Date(), durationMs: 1, status: 200, error: null, responseExcerpt: null },
        ...{ verdict: 'delivered' as const, nextTryAt: null, throttle: null, isProbe: false },
      };
      expect(await room.store.settle(new Date(), [ended])).toBe(true);
      const [second] = (await room.store.claimDue(new Date(), limits)).claimed;
      expect(second).toMatchObject({ eventType: 'recovery.success', endpointSequence: 2 });
    });

    it('takes an even share of each endpoint where more fell due in one moment than a claim may bring', async () => {
      const clientId = await room.newClient();
      for (const path of ['/even/a', '/even/b']) await room.newEndpoint(clientId, receiver.url(path));
      for (let count = 0; count < 4; count += 1) {
        await room.book(await room.newRecovery(clientId), { events: ['recovery.success'], state: 'succeeded' });
      }
      const sameMoment = `UPDATE webhook_deliveries SET next_try_at = '2026-01-01' WHERE client_id = $1`;
      await room.sql(sameMoment, [clientId]);
      const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 4, failing: 8 };
      const { claimed } = await room.store.claimDue(new Date(), limits);
      const perEndpoint = new Map<string, number>();
      for (const { endpoint } of claimed) perEndpoint.set(endpoint.id, (perEndpoint.get(endpoint.id) ?? 0) + 1);
      expect([...perEndpoint.values()]).toEqual([2, 2]);
    });

    it('shares the work with another process without sending anything twice', async () => {
      const { clientId, path } = await merchant();
      for (let count = 0; count < 60; count += 1) {
        await room.book(await room.newRecovery(clientId), { events: ['recovery.blocked'] });
      }
      room.startDispatcher();
      room.startDispatcher();
      await room.until({ clientId }, ({ status }) => status === 'delivered');
      const ids = receiver.at(path).map(({ body }) => body.id);
      expect(new Set(ids).size).toBe(60);
      expect(ids).toHaveLength(60);
    });

    it('hands back what it has not begun when it is stopped', async () => {
      const dead = await silence();
      const clientId = await room.newClient();
      await room.newEndpoint(clientId, dead.url);
      await room.book(await room.newRecovery(clientId), { events: ['recovery.blocked'] });
      room.startDispatcher();
      while (dead.taken() < 1) await new Promise((resolve) => setTimeout(resolve, 10));
      const stopping = room.stopDispatchers();
      silent[0]?.closeAllConnections();
      await stopping;
      const [delivery] = await room.deliveries({ clientId });
      expect(delivery).toMatchObject({ status: 'pending', schedule_step: 1, last_error: 'could not connect' });
    });
  });
});
