import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { WebhookRoom } from '../../test/support/webhook-room.js';
import { ENDPOINTS_MAX } from './outbox.js';

const URL = 'http://127.0.0.1:9/hook';
const later = new Date('2100-01-01T00:00:00Z');

describe('the outbox', () => {
  let room: WebhookRoom;
  beforeAll(async () => {
    room = await WebhookRoom.open();
  });
  afterAll(() => room.close());

  const statusesOf = async (recovery: { clientId: string; id: string }) =>
    (await room.deliveries(recovery)).map(({ type, status }) => `${type} ${status}`);

  it('writes an event and one delivery for each endpoint that wants it', async () => {
    const clientId = await room.newClient();
    const every = await room.newEndpoint(clientId, URL);
    const failures = await room.newEndpoint(clientId, URL, ['recovery.failed', 'recovery.scheduled']);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success', 'recovery.scheduled', 'recovery.failed'] });

    const to = (await room.deliveries(recovery)).map(({ type, endpoint_id }) => [type, endpoint_id]);
    expect(to).toEqual([
      ['recovery.success', every.id],
      ['recovery.scheduled', failures.id],
      ['recovery.failed', every.id],
      ['recovery.failed', failures.id],
    ]);
  });

  it('writes the event even where nobody wants it, for the log and for endpoints that come back', async () => {
    const clientId = await room.newClient();
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success'] });
    expect(await room.sql('SELECT type FROM webhook_events WHERE recovery_id = $1', [recovery.id])).toHaveLength(1);
    expect(await room.deliveries(recovery)).toEqual([]);
  });

  it('leaves out disabled and deleted endpoints, and those of other clients', async () => {
    const clientId = await room.newClient();
    const disabled = await room.newEndpoint(clientId, URL);
    const deleted = await room.newEndpoint(clientId, URL);
    await room.newEndpoint(await room.newClient(), URL);
    await room.sql('UPDATE webhook_endpoints SET enabled = false WHERE id = $1', [disabled.id]);
    await room.sql('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = $1', [deleted.id]);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success'] });
    expect(await room.deliveries(recovery)).toEqual([]);
  });

  it('tells a failure only to who lists it, where dunning is off', async () => {
    const clientId = await room.newClient();
    await room.newEndpoint(clientId, URL);
    const listing = await room.newEndpoint(clientId, URL, ['recovery.failed']);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], dunningEnabled: false });
    expect((await room.deliveries(recovery)).map(({ endpoint_id }) => endpoint_id)).toEqual([listing.id]);
  });

  it('keeps back what is held, and gives the rest to the dispatcher at once', async () => {
    const clientId = await room.newClient();
    await room.newEndpoint(clientId, URL);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.blocked'] });
    await room.book(recovery, { events: ['recovery.failed'], heldUntil: later });
    expect(await statusesOf(recovery)).toEqual(['recovery.blocked pending', 'recovery.failed held']);
  });

  it('stores the very bytes that were composed', async () => {
    const clientId = await room.newClient();
    const recovery = await room.newRecovery(clientId);
    const { eventIds } = await room.book(recovery, { events: ['recovery.failed'] });
    const [row] = await room.sql<{ body: Buffer }>('SELECT body FROM webhook_events WHERE id = $1', [eventIds[0]]);
    expect(row?.body.toString('utf8')).toMatch(/^\{"event":"recovery\.failed","revtainTransactionId":"/);
    expect(JSON.parse(String(row?.body))).toMatchObject({ id: eventIds[0], revtainTransactionId: recovery.id });
  });

  it('serves as many endpoints as a client may have', async () => {
    const clientId = await room.newClient();
    for (let count = 0; count < ENDPOINTS_MAX; count += 1) await room.newEndpoint(clientId, URL);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success'] });
    expect(await room.deliveries(recovery)).toHaveLength(ENDPOINTS_MAX);
  });

  it('writes nothing at all when the guard changes no row', async () => {
    const clientId = await room.newClient();
    await room.newEndpoint(clientId, URL);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.failed'], heldUntil: later });
    const { written } = await room.book(recovery, { events: ['recovery.success'], state: 'succeeded', leaseToken: 99 });
    expect(written).toBe(false);
    expect(await statusesOf(recovery)).toEqual(['recovery.failed held']);
    expect(await room.sql('SELECT id FROM webhook_events WHERE recovery_id = $1', [recovery.id])).toHaveLength(1);
  });

  it('writes nothing when a later part of the statement fails', async () => {
    const clientId = await room.newClient();
    await room.newEndpoint(clientId, URL);
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
    // A second success of one recovery violates an index, whoever wrote it.
    await expect(
      room.book(recovery, { events: ['recovery.failed', 'recovery.success'], state: 'failed' }),
    ).rejects.toThrow();
    expect(await statusesOf(recovery)).toEqual(['recovery.success pending']);
  });

  describe('withdrawing', () => {
    it('supersedes a failure that is still held when the success is booked, and only that', async () => {
      const clientId = await room.newClient();
      await room.newEndpoint(clientId, URL);
      const recovery = await room.newRecovery(clientId);
      await room.book(recovery, { events: ['recovery.blocked'] });
      const { eventIds } = await room.book(recovery, {
        events: ['recovery.failed'],
        state: 'failed',
        heldUntil: later,
      });
      await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
      expect(await statusesOf(recovery)).toEqual([
        'recovery.blocked pending',
        'recovery.failed superseded',
        'recovery.success pending',
      ]);
      const [event] = await room.sql('SELECT superseded_at FROM webhook_events WHERE id = $1', [eventIds[0]]);
      expect(event?.['superseded_at']).toBeInstanceOf(Date);
    });

    it('supersedes the failure of an earlier recovery of the same debt, and of no other debt', async () => {
      const clientId = await room.newClient();
      await room.newEndpoint(clientId, URL);
      const earlier = await room.newRecovery(clientId, 'inv_7');
      const stranger = await room.newRecovery(clientId, 'inv_8');
      for (const each of [earlier, stranger]) {
        await room.book(each, { events: ['recovery.failed'], state: 'failed', heldUntil: later });
      }
      const newest = await room.newRecovery(clientId, 'inv_7');
      await room.book(newest, { events: ['recovery.success'], state: 'succeeded' });
      expect(await statusesOf(earlier)).toEqual(['recovery.failed superseded']);
      expect(await statusesOf(stranger)).toEqual(['recovery.failed held']);
    });

    it('leaves a failure that was delivered, or is on the wire', async () => {
      const clientId = await room.newClient();
      await room.newEndpoint(clientId, URL);
      const delivered = await room.newRecovery(clientId);
      const leased = await room.newRecovery(clientId);
      for (const each of [delivered, leased]) await room.book(each, { events: ['recovery.failed'], state: 'failed' });
      await room.sql(
        `UPDATE webhook_deliveries SET status = 'delivered', next_try_at = NULL, delivered_at = now() WHERE recovery_id = $1`,
        [delivered.id],
      );
      await room.sql(`UPDATE webhook_deliveries SET lease_until = now() + interval '1 minute' WHERE recovery_id = $1`, [
        leased.id,
      ]);
      for (const each of [delivered, leased]) await room.book(each, { events: [], state: 'succeeded' });
      expect(await statusesOf(delivered)).toEqual(['recovery.failed delivered']);
      expect(await statusesOf(leased)).toEqual(['recovery.failed pending']);
    });

    it('withdraws the failure of a recovery that is cancelled, and not its siblings', async () => {
      const clientId = await room.newClient();
      await room.newEndpoint(clientId, URL);
      const earlier = await room.newRecovery(clientId, 'inv_9');
      await room.book(earlier, { events: ['recovery.failed'], state: 'failed', heldUntil: later });
      const recovery = await room.newRecovery(clientId, 'inv_9');
      await room.book(recovery, { events: ['recovery.failed'], state: 'failed', heldUntil: later });
      await room.book(recovery, { events: ['recovery.cancelled'], state: 'cancelled' });
      expect(await statusesOf(recovery)).toEqual(['recovery.failed superseded']);
      expect(await statusesOf(earlier)).toEqual(['recovery.failed held']);
    });
  });
});
