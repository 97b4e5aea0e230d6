import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import express from 'express';
import pg from 'pg';

import type { RevtainEvent, UnknownEvent } from '../../packages/receiver/src/events.js';
import { expressReceiver } from '../../packages/receiver/src/express.js';
import { postgresStore, tableDdl } from '../../packages/receiver/src/postgres-store.js';
import { on } from '../../packages/receiver/src/router.js';
import { Api } from '../support/api.js';
import { startTestApp, type TestApp } from '../support/app.js';

interface Delivery {
  id: string;
  status: string;
  tryCount: number;
}

let app: TestApp;
let server: Server;
let pool: pg.Pool;
let url: string;
/** A secrets list as a merchant's settings would hold it: the receiver reads it at each delivery. */
const secrets: string[] = [];
const told: (RevtainEvent | UnknownEvent)[] = [];

beforeAll(async () => {
  app = await startTestApp();
  pool = new pg.Pool({ connectionString: app.database.url, max: 4 });
  await pool.query(tableDdl());
  const store = postgresStore((text, values) => pool.query(text, values));
  const route = on({
    'recovery.failed': {
      request_card_update: (event) => told.push(event),
      manual_review: (event) => told.push(event),
    },
    otherwise: (event) => told.push(event),
  });
  server = createServer(express().post('/hook', expressReceiver({ secret: secrets, store, route })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await pool.end();
  await app.stop();
});

/** Looks again until it holds, for ten seconds at most. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let looks = 0; !(await holds()); looks += 1) {
    if (looks === 200) throw new Error(`it never came to that; told so far: ${JSON.stringify(told)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('a merchant with the kit acts once on what Revtain sends, through a redelivery and a change of secrets', async () => {
  const client = await app.createClient({ webhookUrl: url });
  const api = new Api(app.url, { 'x-api-key': client.apiKey });
  secrets.push(client.webhookSigningSecret ?? '');
  const fail = (name: string) =>
    api.post('/api/recovery/execute', {
      paymentMethodToken: 'pm_card_visa',
      amount: 2_500,
      originalDeclineCode: 'expired_card',
      reference: name,
      idempotencyKey: name,
    });
  const newest = async () => (await api.get<{ data: Delivery[] }>('/api/webhook-deliveries')).body.data[0];

  await fail('inv_1');
  await until(async () => (await newest())?.status === 'delivered');
  expect(told).toMatchObject([{ event: 'recovery.failed', recommendedAction: 'request_card_update', amount: 2_500 }]);

  const delivery = await newest();
  await api.post(`/api/webhook-deliveries/${delivery?.id}/redeliver`, {});
  await until(async () => (await newest())?.tryCount === 2);
  expect(told).toHaveLength(1);

  const [endpoint] = (await api.get<{ data: { id: string }[] }>('/api/webhook-endpoints')).body.data;
  const path = `/api/webhook-endpoints/${endpoint?.id}/rotate-secret`;
  const { body } = await api.post<{ secret: string }>(path, { overlapHours: 1 });
  await fail('inv_2'); // Signed with both; the receiver has the old one still.
  await until(() => told.length === 2);
  secrets.splice(0, 1, body.secret);
  await fail('inv_3');
  await until(() => told.length === 3);

  const ping = await api.post(`/api/webhook-endpoints/${endpoint?.id}/ping`, {});
  expect(ping.body).toMatchObject({ delivered: true });
  expect(told.map(({ event }) => event)).toEqual([...Array<string>(3).fill('recovery.failed'), 'webhook.test']);
});
