import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Watch } from '../../src/alerts/watch.service.js';
import { WatchedClients } from '../../src/alerts/watched-clients.js';
import { Database } from '../../src/platform/db/database.js';
import { AlertRoom } from '../support/alert-room.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const GROUP_WAIT_MS = 30 * SECOND_MS;
const EMAIL = { notificationChannels: ['EMAIL'], alertEmails: ['ops@acme.example'] };

let room: AlertRoom;

beforeEach(async () => {
  room = await AlertRoom.open();
});

afterEach(() => room.close());

async function openKinds(clientId: string): Promise<string[]> {
  const text = 'SELECT kind FROM operator_alerts WHERE client_id = $1 AND resolved_at IS NULL ORDER BY kind';
  return (await room.sql<{ kind: string }>(text, [clientId])).map(({ kind }) => kind);
}

describe('what is watched', () => {
  it('a recovery that fails over the API is told half a minute later, once, with its amount and bucket', async () => {
    const client = await room.client({ ...EMAIL, defaultCurrency: 'EUR' });
    const execute = (body: object) => room.app.http().post('/execute').set('x-api-key', client.apiKey).send(body);
    const answer = await execute({
      paymentMethodToken: 'pm_test_expired_card',
      amount: 4_200,
      reference: 'inv_1',
      customerEmail: 'jane@customer.example',
    });
    expect(answer.body).toMatchObject({ status: 'failed' });
    const blocked = await execute({
      paymentMethodToken: 'pm_card_visa',
      amount: 900,
      reference: 'inv_2',
      originalDeclineCode: 'stolen_card',
    });
    expect(blocked.status).toBe(403);
    await room.watch();
    room.clock.advance(SECOND_MS);
    await room.watch();
    await room.pass(GROUP_WAIT_MS);
    await room.pass(HOUR_MS);
    const texts = room.mail.received.map(({ mail }) => mail.text ?? '');
    expect(texts).toHaveLength(2);
    const failed = texts.find((text) => text.includes('1 recovery failed')) ?? '';
    expect(failed).toContain('€42.00');
    expect(failed).toContain('hard 1');
    expect(failed).toContain((answer.body as { transactionId: string }).transactionId);
    expect(failed).not.toMatch(/jane/);
    expect(texts.some((text) => text.includes('1 recovery blocked'))).toBe(true);
  });

  it('is found by the looks that a worker takes by itself, one after the other', async () => {
    const client = await room.client({ ...EMAIL, webhookUrl: `${room.fakes.url}/hooks` });
    const body = { paymentMethodToken: 'pm_test_expired_card', amount: 4_200, reference: 'inv_1' };
    await room.app.http().post('/execute').set('x-api-key', client.apiKey).send(body);
    await room.sql(`UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'gone' WHERE client_id = $1`, [
      client.clientId,
    ]);
    const watch = room.app.service.app.get(Watch);
    await watch.lookAtRecoveries();
    expect(await openKinds(client.clientId)).toEqual([]); // It does not run yet.
    watch.start();
    for (let look = 0; look < 2; look += 1) {
      await watch.lookAtRecoveries();
      await watch.lookAtStanding();
      await watch.forgetOldMessages();
    }
    await watch.stop();
    expect(await openKinds(client.clientId)).toEqual(['recovery_failed', 'webhook_endpoint_disabled']);
  });

  it('a client that is well costs no look of its own, and every one that is not gets one', async () => {
    const { clientId } = await room.client({ ...EMAIL, webhookUrl: `${room.fakes.url}/hooks` });
    const clients = room.app.service.app.get(WatchedClients);
    const seen = () => clients.withStanding(room.clock.now());
    expect(await seen()).toEqual([clientId]); // Its charges were never counted.
    await room.watch();
    expect(await seen()).toEqual([]);
    const troubles = [
      [`UPDATE webhook_endpoints SET failing_since = now() WHERE client_id = $1`, `failing_since = NULL`],
      [
        `UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'gone' WHERE client_id = $1`,
        `enabled = true, disabled_reason = NULL`,
      ],
    ];
    for (const [make = '', undo = ''] of troubles) {
      await room.sql(make, [clientId]);
      expect(await seen()).toEqual([clientId]);
      await room.sql(`UPDATE webhook_endpoints SET ${undo} WHERE client_id = $1`, [clientId]);
      expect(await seen()).toEqual([]);
    }
    for (const kind of [
      'queue_behind',
      'unusual_decline_rate',
      'charge_unknown_for_long',
      'work_parked',
      'money_held',
    ]) {
      const alert = `INSERT INTO operator_alerts (client_id, id, kind, severity, facts, dedupe_key, created_at)
                     VALUES ($1, $2, $2, 'warning', '{}', $2, now())`;
      await room.sql(alert, [clientId, kind]);
      expect(await seen()).toEqual([clientId]);
      await room.sql('UPDATE operator_alerts SET resolved_at = now() WHERE client_id = $1', [clientId]);
    }
    room.clock.advance(2 * HOUR_MS);
    expect(await seen()).toEqual([clientId]);
  });

  it('a charge that is unknown no more ends its alert, and an old point in time can be told again', async () => {
    const client = await room.client(EMAIL);
    await room.raiseMany(client, [
      { kind: 'charge_unknown_for_long', dedupeKey: 'charge_unknown:x' },
      { kind: 'configuration_error', dedupeKey: 'configuration_error:amount_too_small' },
    ]);
    await room.pass(GROUP_WAIT_MS);
    await room.watch();
    await room.pass(25 * HOUR_MS);
    await room.watch();
    expect(await openKinds(client.clientId)).toEqual([]);
    await room.raise(client, { kind: 'configuration_error', dedupeKey: 'configuration_error:amount_too_small' });
    await room.pass(GROUP_WAIT_MS);
    const subjects = room.mail.received.map(({ mail }) => mail.subject?.replace(/^.*?: /, ''));
    expect(subjects.sort()).toEqual([
      '1 charge with unknown outcome',
      '1 request refused by the gateway',
      '1 request refused by the gateway',
      'Resolved: the outcome is known',
    ]);
  });

  it('an endpoint is told on its first day of failing, and when it is well again; a disabled one at once', async () => {
    const client = await room.client({ ...EMAIL, webhookUrl: `${room.fakes.url}/hooks` });
    const since = room.clock.now();
    const set = (change: string, ...values: unknown[]) =>
      room.sql(`UPDATE webhook_endpoints SET ${change} WHERE client_id = $1`, [client.clientId, ...values]);
    await set('failing_since = $2', since);
    for (const passMs of [23 * HOUR_MS, HOUR_MS, GROUP_WAIT_MS]) {
      await room.watch();
      await room.pass(passMs);
    }
    await room.watch();
    await room.pass(GROUP_WAIT_MS);
    await set('failing_since = NULL');
    await room.watch();
    await room.pass(10 * MINUTE_MS);
    await set(`enabled = false, disabled_reason = 'gone'`);
    await room.watch();
    await room.pass(GROUP_WAIT_MS);
    await set('enabled = true, disabled_reason = NULL');
    await room.watch();
    await room.pass(10 * MINUTE_MS);
    const subjects = room.mail.received.map(({ mail }) => mail.subject?.replace(/^.*?: /, '').replace(/ \(we_.*/, ''));
    expect(subjects).toEqual([
      '1 webhook endpoint failing',
      'Resolved: the webhook endpoint fails no more',
      '1 webhook endpoint disabled',
      'Resolved: the webhook endpoint is enabled again, or deleted',
    ]);
  });

  it('an hour of many declines is held against the client’s own last 28 days', async () => {
    const client = await room.client(EMAIL);
    const hour = (hoursAgo: number) => new Date(Math.floor(room.clock.now().getTime() / HOUR_MS - hoursAgo) * HOUR_MS);
    for (let hoursAgo = 2; hoursAgo < 100; hoursAgo += 1) {
      await room.sql('INSERT INTO alert_charge_hours VALUES ($1, $2, 50, 10)', [client.clientId, hour(hoursAgo)]);
    }
    await room.sql('INSERT INTO alert_charge_hours VALUES ($1, $2, 50, 40)', [client.clientId, hour(1)]);
    room.clock.advance(10 * MINUTE_MS);
    await room.watch();
    await room.pass(GROUP_WAIT_MS);
    expect(room.mail.received.map(({ mail }) => mail.subject)).toEqual(['[test] Acme: 1 unusually many declines']);
    // An hour of three charges, all declined, is no sign that all is well.
    await room.sql('INSERT INTO alert_charge_hours VALUES ($1, $2, 3, 3)', [client.clientId, hour(0)]);
    room.clock.advance(HOUR_MS);
    await room.watch();
    await room.pass(10 * MINUTE_MS);
    expect(room.mail.received).toHaveLength(1);
    await room.sql('INSERT INTO alert_charge_hours VALUES ($1, $2, 50, 10)', [client.clientId, hour(0)]);
    room.clock.advance(HOUR_MS);
    await room.watch();
    await room.pass(10 * MINUTE_MS);
    expect(room.mail.received.map(({ mail }) => mail.subject).slice(1)).toEqual([
      '[test] Acme: Resolved: no unusual declines any more',
    ]);
  });
});

describe('row-level security', () => {
  it('shows a client nothing of another’s groups, messages, turns, opt-outs and hours', async () => {
    const [one, other] = [await room.client(EMAIL), await room.client(EMAIL)];
    await room.raise(one);
    await room.pass(GROUP_WAIT_MS);
    const now = room.clock.now();
    await room.sql(
      `INSERT INTO alert_opt_outs VALUES ($1, 'EMAIL', 'ops@acme.example', 'late_success', 'unsubscribed', $2)`,
      [one.clientId, now],
    );
    await room.sql('INSERT INTO alert_charge_hours VALUES ($1, $2, 1, 1)', [one.clientId, now]);
    const database = room.app.service.app.get(Database);
    for (const table of ['alert_turns', 'alert_groups', 'alert_messages', 'alert_opt_outs', 'alert_charge_hours']) {
      const seenBy = async (clientId: string) => {
        const { rows } = await database.query<{ client_id: string }>(
          { role: 'tenant', clientId },
          { text: `SELECT client_id FROM ${table}` },
        );
        return rows.map((row) => row.client_id);
      };
      expect({ table, own: await seenBy(one.clientId) }).toEqual({ table, own: [one.clientId] });
      expect({ table, foreign: await seenBy(other.clientId) }).toEqual({ table, foreign: [] });
      const write = database.query(
        { role: 'tenant', clientId: other.clientId },
        { text: `INSERT INTO ${table} SELECT * FROM ${table} WHERE false`, values: [] },
      );
      await expect(write).resolves.toMatchObject({ rowCount: 0 });
    }
  });
});
