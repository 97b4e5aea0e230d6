import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';

import { InboxStore } from '../../src/connectors/inbox-store.js';
import { InboxWorker } from '../../src/connectors/inbox-worker.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { SECRET, stripeSignature, StripeShop } from '../support/stripe-events.js';
import { World } from '../support/story.js';

const WAIT_MAX_MS = 30_000;
/** Nobody listens there. */
const DEAD_STRIPE = 'http://127.0.0.1:9';

let world: World;

beforeAll(async () => {
  world = await World.start({ settings: { STRIPE_API_BASE: DEAD_STRIPE } });
});

afterAll(async () => {
  await world.stop();
});

const invoicePaid = (id: string) => ({
  ...{ id, object: 'event', type: 'invoice.payment_failed', livemode: false, created: 1_795_000_000 },
  ...{ data: { object: { id: `in_of_${id}`, object: 'invoice', status: 'open' } }, request: null },
});

async function rowOf(id: string): Promise<{ status: string; tries: number; parked: boolean; outcome: string | null }> {
  const text = `SELECT status, tries, parked_at IS NOT NULL AS parked, outcome FROM connector_events WHERE event_id = $1`;
  const { rows } = await world.database.query(text, [id]);
  return rows[0] as Awaited<ReturnType<typeof rowOf>>;
}

async function until(is: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < WAIT_MAX_MS; waitedMs += 50) {
    if (await is()) return;
    await sleep(50);
  }
  throw new Error('it did not come to that');
}

async function post(url: string, clientId: string, event: object): Promise<number> {
  const body = JSON.stringify(event);
  const headers = { 'content-type': 'application/json', 'stripe-signature': stripeSignature(body) };
  const answer = await request(`${url}/api/connectors/stripe-billing/webhook/${clientId}`, {
    method: 'POST',
    body,
    headers,
  });
  await answer.body.dump();
  return answer.statusCode;
}

describe('between its storing and its working', () => {
  it('an event outlives the process that took it', async () => {
    const api = await startTestApp({ settings: { REVTAIN_ROLE: 'api' } });
    const { database, masterKey } = api;
    let worker: TestApp | null = null;
    try {
      const { clientId } = await api.createClient({ gateway: { provider: 'test', webhookSecret: SECRET } });
      expect(await post(api.url, clientId, invoicePaid('evt_outlives'))).toBe(200);
      const store = api.service.app.get(InboxStore, { strict: false });
      expect(await store.counts(clientId, 'stripe-billing')).toEqual({ pending: 1 });
      await api.service.stop();
      worker = await startTestApp({ database, masterKey });
      const kept = worker.service.app.get(InboxStore, { strict: false });
      await until(async () => (await kept.counts(clientId, 'stripe-billing'))['done'] === 1);
    } finally {
      await worker?.stop();
      await database.drop();
    }
  });

  it('an event whose worker died is taken over when its lease is out, and the dead one’s word counts no more', async () => {
    const shop = await StripeShop.open(world);
    const { clientId } = shop.merchant;
    await world.database.query(
      `INSERT INTO connector_events (client_id, platform, event_id, type, subject, facts, status, due_at, received_at,
         tries, lease_token, lease_until)
       VALUES ($1, 'stripe-billing', 'evt_died', 'invoice.paid', 'in_died', '{}', 'pending', now(), now(), 1, 7,
         now() + interval '1 second')`,
      [clientId],
    );
    await until(async () => (await rowOf('evt_died')).status === 'done');
    expect(await rowOf('evt_died')).toMatchObject({ tries: 2, outcome: 'no_recovery' });
    const store = world.app.service.app.get(InboxStore, { strict: false });
    const dead = {
      ...{ clientId, platform: 'stripe-billing', eventId: 'evt_died', type: 'invoice.paid', subject: 'in_died' },
      ...{ facts: {}, said: '', tries: 1, leaseToken: 7, receivedAt: new Date() },
    };
    const settled = { event: dead, status: 'ignored' as const, outcome: 'too_late', dueAt: null, parkedAt: null };
    await store.settle([settled], new Date());
    expect(await rowOf('evt_died')).toMatchObject({ outcome: 'no_recovery' });
  });
});

describe('an event that can not be worked', () => {
  it('is parked and told once, holds up no other, and is worked when it can be', async () => {
    const merchant = await world.merchant({
      gateway: { provider: 'stripe', secretKey: 'sk_test_nobody', webhookSecret: SECRET },
    });
    const { clientId } = merchant;
    expect(await post(merchant.api.url, clientId, invoicePaid('evt_poison'))).toBe(200);
    await until(async () => (await rowOf('evt_poison')).tries > 0);
    await until(async () => {
      await world.database.query(
        `UPDATE connector_events SET tries = 7, due_at = now() WHERE event_id = 'evt_poison' AND lease_until IS NULL AND parked_at IS NULL`,
      );
      return (await rowOf('evt_poison')).parked;
    });
    expect(await rowOf('evt_poison')).toMatchObject({ status: 'pending', parked: true });
    await until(async () => (await world.alertsOf(clientId)).includes('connector_failing'));

    const other = await StripeShop.open(world);
    await other.send(invoicePaid('evt_neighbour'));
    await other.worked();
    expect(await rowOf('evt_neighbour')).toMatchObject({ status: 'done', outcome: 'invoice_gone' });

    await world.database.query(
      `UPDATE connector_events SET status = 'done', outcome = 'mended', due_at = NULL, parked_at = NULL WHERE event_id = 'evt_poison'`,
    );
    await world.app.service.app.get(InboxWorker, { strict: false }).sweep();
    expect(await world.alertsOf(clientId)).not.toContain('connector_failing');
  });
});
