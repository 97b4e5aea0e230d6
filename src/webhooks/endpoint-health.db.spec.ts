import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { Receiver, type ScriptedAnswer } from '../../test/support/receiver.js';
import { type TestEndpoint, WebhookRoom } from '../../test/support/webhook-room.js';
import { DAY_MS } from './endpoint-health.js';

/** More than two dispatchers can have on the wire before the first answers are written. */
const MANY = 200;

describe('the health of an endpoint, in the database for all dispatchers', () => {
  let room: WebhookRoom;
  let receiver: Receiver;
  let mailboxes = 0;

  beforeAll(async () => {
    room = await WebhookRoom.open();
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await room.stopDispatchers();
    await room.sql(
      `UPDATE webhook_deliveries SET status = 'exhausted', next_try_at = NULL WHERE status IN ('pending', 'held')`,
    );
  });
  afterAll(async () => {
    await room.close();
    await receiver.stop();
  });

  async function merchant(...answers: ScriptedAnswer[]) {
    const clientId = await room.newClient();
    const path = `/health/${++mailboxes}`;
    const endpoint = await room.newEndpoint(clientId, receiver.url(path));
    receiver.answer(path, ...answers);
    return { clientId, path, endpoint };
  }

  async function tell(clientId: string, count = 1) {
    for (let told = 0; told < count; told += 1) {
      await room.book(await room.newRecovery(clientId), { events: ['recovery.success'], state: 'succeeded' });
    }
  }

  const times = (count: number, answer: ScriptedAnswer) => Array.from({ length: count }, () => answer);
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  async function healthOf({ id }: TestEndpoint) {
    const [row] = await room.sql<{
      enabled: boolean;
      disabled_reason: string | null;
      disabled_at: Date | null;
      failing_since: Date | null;
      throttled_until: Date | null;
      throttle_step: number;
      breaker_until: Date | null;
      breaker_trips: number;
    }>('SELECT * FROM webhook_endpoints WHERE id = $1', [id]);
    if (!row) throw new Error('no such endpoint');
    return row;
  }

  async function untilHealth(endpoint: TestEndpoint, fits: (row: Awaited<ReturnType<typeof healthOf>>) => boolean) {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
      const row = await healthOf(endpoint);
      if (fits(row)) return row;
      await pause(20);
    }
    throw new Error(`the endpoint stands at ${JSON.stringify(await healthOf(endpoint))}`);
  }

  const alertsOf = (clientId: string) =>
    room.sql<{ kind: string; facts: Record<string, unknown>; resolved_at: Date | null }>(
      'SELECT kind, facts, resolved_at FROM operator_alerts WHERE client_id = $1 ORDER BY created_at, kind',
      [clientId],
    );

  describe('a pause that it asks for', () => {
    it.each([429, 503])('holds every event back after a %i with Retry-After, in every process', async (status) => {
      const { clientId, path, endpoint } = await merchant({ status, headers: { 'Retry-After': '3600' } });
      await tell(clientId);
      room.startDispatcher();
      room.startDispatcher();
      const { throttled_until } = await untilHealth(endpoint, (row) => row.throttled_until !== null);
      expect(Number(throttled_until) - Date.now()).toBeGreaterThan(3_590_000);
      await tell(clientId, 3);
      await pause(1_200);
      expect(receiver.at(path)).toHaveLength(1);
    });

    it('is a second where no time is named, longer each time, and forgotten by a success', async () => {
      const { clientId, path, endpoint } = await merchant({ status: 502 }, { status: 504 });
      await tell(clientId);
      const dispatcher = room.startDispatcher();
      await untilHealth(endpoint, (row) => row.throttle_step === 1);
      await tell(clientId);
      dispatcher.wake();
      const { throttled_until } = await untilHealth(endpoint, (row) => row.throttle_step === 2);
      const [first, second] = receiver.at(path);
      expect(Number(second?.receivedAt) - Number(first?.receivedAt)).toBeGreaterThanOrEqual(950);
      expect(Number(throttled_until) - Number(second?.receivedAt)).toBeGreaterThanOrEqual(1_950);
      await untilHealth(endpoint, (row) => row.throttle_step === 0 && row.failing_since === null);
    });

    it('is not asked for by a 500: that speaks of one event', async () => {
      const { clientId, path, endpoint } = await merchant({ status: 500, headers: { 'Retry-After': '3600' } });
      await tell(clientId);
      const dispatcher = room.startDispatcher();
      await untilHealth(endpoint, (row) => row.failing_since !== null);
      await tell(clientId);
      dispatcher.wake();
      await receiver.waitFor((each) => each.path === path, 2);
      expect(await healthOf(endpoint)).toMatchObject({ throttled_until: null, throttle_step: 0 });
    });
  });

  describe('the breaker', () => {
    it('opens when most tries of a minute fail, lets one probe through, and closes by its success', async () => {
      const { clientId, path, endpoint } = await merchant(...times(MANY, { status: 500 }));
      await tell(clientId, MANY);
      room.startDispatcher();
      room.startDispatcher();
      const opened = await untilHealth(endpoint, (row) => row.breaker_until !== null);
      expect(opened.breaker_trips).toBe(1);
      await pause(300); // What was on the wire or in line comes to its end.
      const before = receiver.at(path).length;
      expect(before).toBeLessThan(MANY);
      await pause(700);
      expect(receiver.at(path)).toHaveLength(before);

      receiver.answer(path, ...times(2, { status: 500 }));
      await room.hurry(clientId);
      await untilHealth(endpoint, (row) => row.breaker_trips === 2);
      await pause(500);
      expect(receiver.at(path).length).toBe(before + 1);
      const { breaker_until } = await healthOf(endpoint);
      expect(Number(breaker_until) - Date.now()).toBeGreaterThan(2_500);

      receiver.forget(path);
      await room.hurry(clientId);
      await room.until({ clientId }, ({ status, schedule_step }) => status === 'delivered' || schedule_step > 0);
      await untilHealth(endpoint, (row) => row.breaker_until === null && row.breaker_trips === 0);
    });

    it('stays closed where most tries are well', async () => {
      const { clientId, endpoint } = await merchant(
        ...Array.from({ length: 30 }, (_, index) => ({ status: index % 2 === 0 ? 500 : 200 })),
      );
      await tell(clientId, 30);
      room.startDispatcher();
      await room.until({ clientId }, ({ try_count }) => try_count > 0);
      await pause(200);
      expect(await healthOf(endpoint)).toMatchObject({ breaker_until: null, breaker_trips: 0 });
    });

    it('gives the probe of one that died on the way to another process after its lease', async () => {
      const { clientId, path, endpoint } = await merchant();
      await tell(clientId, 2);
      await room.sql(
        `UPDATE webhook_endpoints SET breaker_until = now() - interval '1 s', breaker_trips = 1 WHERE id = $1`,
        [endpoint.id],
      );
      const limits = { perEndpoint: 8, rooms: new Map<string, number>(), inAll: 8, failing: 8 };
      const claims = await Promise.all([1, 2, 3].map(() => room.store.claimDue(new Date(), limits)));
      const probes = claims.flatMap(({ claimed }) => claimed);
      expect(probes.map(({ isProbe }) => isProbe)).toEqual([true]);
      room.startDispatcher();
      await pause(700);
      expect(receiver.at(path)).toEqual([]);
      await room.hurry(clientId);
      await receiver.waitFor((each) => each.path === path);
      await untilHealth(endpoint, (row) => row.breaker_until === null);
    });
  });

  describe('failing for days', () => {
    async function failOnce(clientId: string) {
      await room.hurry(clientId);
      // Days lie between these tries, so no minute holds enough of them for the breaker.
      await room.sql(
        `UPDATE webhook_endpoints SET window_tries = 0, window_failures = 0, breaker_until = NULL WHERE client_id = $1`,
        [clientId],
      );
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
      room.startDispatcher();
      await room.until(recovery, ({ schedule_step, status }) => schedule_step > 0 || status !== 'pending');
      await room.stopDispatchers();
    }
    const failingFor = (endpoint: TestEndpoint, days: number) =>
      room.sql(`UPDATE webhook_endpoints SET failing_since = now() - $2 * interval '1 ms' WHERE id = $1`, [
        endpoint.id,
        days * DAY_MS,
      ]);

    it('is told on day 1 and 3, once each, and is over with the next success', async () => {
      const { clientId, path, endpoint } = await merchant(...times(60, { status: 500 }));
      await failOnce(clientId);
      expect(await alertsOf(clientId)).toEqual([]);
      for (const days of [1.1, 1.2, 3.1, 3.2]) {
        await failingFor(endpoint, days);
        await failOnce(clientId);
      }
      const told = await alertsOf(clientId);
      expect(told.map(({ kind, facts }) => [kind, facts['day']])).toEqual([
        ['webhook_endpoint_failing', 1],
        ['webhook_endpoint_failing', 3],
      ]);
      receiver.forget(path);
      await failOnce(clientId);
      expect((await healthOf(endpoint)).failing_since).toBeNull();
      expect((await alertsOf(clientId)).every(({ resolved_at }) => resolved_at !== null)).toBe(true);
    });

    it('ends on day 5: disabled, what waits is parked, the operator is told how much that is', async () => {
      const { clientId, path, endpoint } = await merchant(...times(60, { status: 500 }));
      const later = await room.newRecovery(clientId);
      await room.book(later, { events: ['recovery.failed'], state: 'failed', heldUntil: new Date('2100-01-01') });
      await failOnce(clientId);
      await failingFor(endpoint, 4.99);
      await failOnce(clientId);
      expect((await healthOf(endpoint)).enabled).toBe(true);
      await failingFor(endpoint, 5);
      await failOnce(clientId);
      const health = await healthOf(endpoint);
      expect(health).toMatchObject({ enabled: false, disabled_reason: 'failing' });
      expect(health.disabled_at).toBeInstanceOf(Date);
      const came = receiver.at(path).length;
      expect((await room.deliveries({ clientId })).map(({ status }) => status)).toEqual(
        Array<string>(4).fill('endpoint_disabled'),
      );
      const [alert] = (await alertsOf(clientId)).filter(({ kind }) => kind === 'webhook_endpoint_disabled');
      expect(alert?.facts).toMatchObject({ endpointId: endpoint.id, reason: 'failing', waiting: 4 });
      expect(alert?.facts['since']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      await failOnce(clientId);
      expect(receiver.at(path)).toHaveLength(came);
    });

    it('does not write to an endpoint that is well', async () => {
      const { clientId, endpoint } = await merchant();
      const versionOf = () => room.sql('SELECT xmin::text FROM webhook_endpoints WHERE id = $1', [endpoint.id]);
      const before = await versionOf();
      await tell(clientId, 20);
      room.startDispatcher();
      await room.until({ clientId }, ({ status }) => status === 'delivered');
      expect(await versionOf()).toEqual(before);
    });
  });
});
