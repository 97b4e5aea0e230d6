import { createHmac } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

import { contractChecker } from '../support/contract.js';
import type { TestClient } from '../support/app.js';
import { AlertRoom } from '../support/alert-room.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GROUP_WAIT_MS = 30_000;
const SLACK = /^\/services\//;
const TWILIO = /Messages\.json$/;
const PAGERDUTY = /^\/v2\/enqueue$/;
const ROUTING_KEY = 'R0123456789012345678901234567890'.slice(0, 32);

let room: AlertRoom;

beforeAll(async () => {
  room = await AlertRoom.open();
});

beforeEach(() => {
  room.mail.received.length = 0;
  room.fakes.calls.length = 0;
  // Each test has an hour of its own.
  room.clock.advance(2 * HOUR_MS);
});

afterAll(async () => {
  expect(room.fakes.complaints).toEqual([]);
  await room.close();
});

const mailTo = (address: string) => room.mail.received.filter(({ to }) => to.includes(address));

describe('an e-mail', () => {
  it('tells in text and HTML what happened, in amounts of the client’s locale, and nothing of the customer', async () => {
    const client = await room.client({
      name: 'Bäcker <b>&</b> Co',
      locale: 'de-DE',
      timezone: 'Europe/Berlin',
      notificationChannels: ['EMAIL'],
      alertEmails: ['ops@acme.example'],
    });
    const facts = { transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF', amount: 123_450, currency: 'EUR', bucket: 'hard' };
    const forbidden = { customerEmail: 'jane@customer.example', note: 'Jane Doe, 12 Elm Street' };
    await room.raiseMany(client, [
      { kind: 'recovery_failed', severity: 'info', facts: { ...facts, ...forbidden } },
      {
        kind: 'recovery_failed',
        severity: 'info',
        facts: { ...facts, amount: 1_050, currency: 'JPY', bucket: 'blended' },
      },
    ]);
    await room.pass(GROUP_WAIT_MS);
    const [received, ...others] = mailTo('ops@acme.example');
    expect(others).toEqual([]);
    expect(received?.mail.subject).toBe('[test] Bäcker <b>&</b> Co: 2 recoveries failed');
    expect(received?.mail.from).toEqual({ name: 'Revtain', address: 'alerts@revtain.example' });
    const text = received?.mail.text?.replaceAll('\u00a0', ' ') ?? '';
    const html = received?.mail.html?.replaceAll('\u00a0', ' ') ?? '';
    for (const each of [text, html]) {
      expect(each).toContain('1.234,50 €');
      expect(each).toContain('1.050');
      expect(each).toContain('hard 1');
      expect(each).toContain('01KB5Z7M3QG8T2V4XW6Y9ACDEF');
      // There is no console yet, and a link to nowhere helps nobody.
      expect(each).not.toMatch(/console/i);
    }
    expect(received?.raw).not.toMatch(/jane|Elm Street/i);
    expect(html).toContain('Bäcker &lt;b&gt;&amp;&lt;/b&gt; Co');
    expect(html).not.toMatch(/<(script|img|link|iframe)|https?:\/\/(?!127\.0\.0\.1)/);
    expect(received?.headers['auto-submitted']).toBe('auto-generated');
  });

  it('takes no header from a name', async () => {
    const name = 'Acme\r\nBcc: all@customer.example\r\n\r\nHello';
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['inject@acme.example'] });
    await room.sql('UPDATE clients SET name = $2 WHERE id = $1', [client.clientId, name]);
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    const [received] = mailTo('inject@acme.example');
    expect(received?.to).toEqual(['inject@acme.example']);
    expect(received?.headers['bcc']).toBeUndefined();
    expect(received?.mail.subject).toBe('[test] Acme Bcc: all@customer.example Hello: 1 late payment after a failure');
  });

  it('stays in the thread of its incident, from the first to the notice that it is over', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['thread@acme.example'] });
    const alert = { kind: 'credentials_refused', severity: 'critical' as const, facts: { status: 401 } };
    await room.raise(client, { ...alert, dedupeKey: 'credentials_refused' });
    await room.pass(GROUP_WAIT_MS);
    await room.pass(4 * HOUR_MS);
    await room.resolve(client, 'credentials_refused');
    await room.pass(GROUP_WAIT_MS * 20, GROUP_WAIT_MS);
    const mails = mailTo('thread@acme.example');
    expect(mails.map(({ mail }) => mail.subject?.replace(/^.*?: /, ''))).toEqual([
      '1 gateway refuses the credentials',
      'Still open: 1 gateway refuses the credentials',
      'Resolved: the gateway takes the credentials again',
    ]);
    const [first, ...later] = mails;
    expect(new Set(mails.map(({ headers }) => headers['message-id'])).size).toBe(3);
    for (const { headers } of later) {
      expect(headers['references']).toBe(first?.headers['message-id']);
      expect(headers['in-reply-to']).toBe(first?.headers['message-id']);
    }
  });

  it('can be unsubscribed from by kind: by the mail reader’s own button, not by reading the link', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL'],
      alertEmails: ['less@acme.example', 'more@acme.example'],
    });
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    const headers = mailTo('less@acme.example')[0]?.headers ?? {};
    expect(headers['list-unsubscribe-post']).toBe('List-Unsubscribe=One-Click');
    const link = /^<(http[^>]+)>$/.exec(headers['list-unsubscribe'] ?? '')?.[1] ?? '';
    const path = link.slice(room.app.url.length);
    const page = await room.app.http().get(path);
    expect(page.text).toContain('No more “late payment after a failure” alerts for less@acme.example?');
    expect(await room.sql('SELECT 1 FROM alert_opt_outs WHERE client_id = $1', [client.clientId])).toEqual([]);
    const clicked = await room.app.http().post(path).type('form').send('List-Unsubscribe=One-Click');
    expect(clicked.status).toBe(200);

    await room.raiseMany(client, [{}, { kind: 'paid_twice', severity: 'critical' }]);
    await room.pass(6 * MINUTE_MS);
    const subjects = (address: string) => mailTo(address).map(({ mail }) => mail.subject?.replace(/^.*?: /, ''));
    expect(subjects('less@acme.example')).toEqual(['1 late payment after a failure', '1 debt paid twice']);
    expect(subjects('more@acme.example').sort()).toEqual([
      '1 debt paid twice',
      '1 late payment after a failure',
      '1 late payment after a failure',
    ]);
    expect((await room.log(client)).filter(({ status }) => status === 'opted_out')).toHaveLength(1);
    expect((await room.app.http().get(`${path.slice(0, -4)}AAAA`)).status).toBe(404);

    // Taking the address off and putting it back is a fresh start.
    for (const alertEmails of [['more@acme.example'], ['less@acme.example', 'more@acme.example']]) {
      await patch(client, { alertEmails });
      await room.raise(client);
      await room.pass(10 * MINUTE_MS);
    }
    expect(subjects('less@acme.example').at(-1)).toBe('1 late payment after a failure');
  });
});

async function patch(client: TestClient, body: object) {
  const path = `/api/clients/${client.clientId}`;
  const answer = await room.app.http().patch(path).set('x-api-key', client.apiKey).send(body);
  contractChecker().checkResponse({
    method: 'PATCH',
    path,
    status: answer.status,
    headers: answer.headers,
    body: answer.body,
  });
  return answer;
}

describe('the other channels', () => {
  it('SMS gets what is critical, in 160 characters of GSM, and a STOP is final', async () => {
    const client = await room.client({ name: 'Żółw 🐢', notificationChannels: ['SMS'], alertPhones: ['+15005550010'] });
    await room.raise(client);
    await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
    room.fakes.answerNext(TWILIO, { status: 400, body: JSON.stringify({ code: 21_610, status: 400 }) });
    await room.pass(GROUP_WAIT_MS);
    const form = new URLSearchParams(room.fakes.at(TWILIO)[0]?.text);
    expect(Object.fromEntries(form)).toEqual({
      To: '+15005550010',
      From: '+15005550006',
      Body: '[test] Zo?w ?: 1 debt paid twice, USD 25.00',
    });
    await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
    await room.pass(2 * HOUR_MS);
    expect(room.fakes.at(TWILIO)).toHaveLength(1);
    expect(
      await room.sql('SELECT target, kind, reason FROM alert_opt_outs WHERE client_id = $1', [client.clientId]),
    ).toEqual([{ target: '+15005550010', kind: '*', reason: 'stop' }]);
    expect((await room.log(client)).map(({ status }) => status)).toEqual(['opted_out']);
    // Nobody was told of the second one: the channel that is added hears of it, and why.
    await patch(client, {
      notificationChannels: ['SMS', 'EMAIL'],
      alertEmails: ['instead-of-sms@acme.example'],
      alertSettings: { kinds: { paid_twice: { channels: ['SMS'] } } },
    });
    await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
    await room.pass(10 * MINUTE_MS);
    await room.pass(10 * MINUTE_MS);
    const mails = mailTo('instead-of-sms@acme.example').map(({ mail }) => mail);
    expect(mails.map(({ subject }) => subject)).toContain('[test] Żółw 🐢: 2 debts paid twice');
    expect(mails[0]?.text).toContain('SMS: a number that has not answered STOP is not set');
    expect(room.fakes.at(TWILIO)).toHaveLength(1);
  });

  it('WEBHOOK is signed as every webhook is, with a secret that is shown once', async () => {
    const client = await room.client({
      notificationChannels: ['WEBHOOK'],
      alertWebhookUrl: `${room.fakes.url}/alerts`,
    });
    const secret = client.alertWebhookSigningSecret ?? '';
    expect(secret).toMatch(/^whsec_/);
    await room.raise(client, {
      kind: 'late_success',
      facts: { transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF', amount: 2500, currency: 'USD' },
    });
    await room.pass(GROUP_WAIT_MS);
    const [call] = room.fakes.at(/^\/alerts$/);
    if (!call) throw new Error('no webhook came');
    const sentAt = new Date(Number(call.headers['webhook-timestamp']) * 1_000);
    expect(Math.abs(sentAt.getTime() - room.clock.now().getTime())).toBeLessThan(1_000);
    expect(call.headers['x-revtain-signature']).toBe(createHmac('sha256', secret).update(call.bytes).digest('hex'));
    const oracle = new Webhook(secret.slice('whsec_'.length));
    const expected = oracle.sign(String(call.headers['webhook-id']), sentAt, call.text);
    expect(call.headers['webhook-signature']).toBe(expected);
    expect(JSON.parse(call.text)).toMatchObject({
      event: 'alert.firing',
      clientId: client.clientId,
      severity: 'warning',
      summary: '1 late payment after a failure',
      alerts: [{ kind: 'late_success', count: 1, amounts: [{ amount: 2500, currency: 'USD', count: 1 }] }],
    });
    expect((await patch(client, { alertWebhookUrl: `${room.fakes.url}/alerts2` })).body).not.toHaveProperty(
      'alertWebhookSigningSecret',
    );
  });

  it('SLACK and PAGERDUTY get their published shapes, and an end resolves the incident that was triggered', async () => {
    const alertSlackUrl = `${room.fakes.url}/services/T0/B0/secret`;
    const client = await room.client({
      name: 'Acme <!channel>',
      notificationChannels: ['SLACK', 'PAGERDUTY'],
      alertSlackUrl,
      alertPagerDutyKey: ROUTING_KEY,
    });
    const alert = {
      kind: 'webhook_endpoint_disabled',
      severity: 'critical' as const,
      facts: { endpointId: 'we_1', reason: 'gone' },
    };
    await room.raise(client, { ...alert, dedupeKey: 'webhook_endpoint_disabled:we_1' });
    await room.pass(GROUP_WAIT_MS);
    await room.resolve(client, 'webhook_endpoint_disabled:we_1');
    await room.pass(10 * MINUTE_MS);
    const slack = room.fakes.at(SLACK).map(({ text }) => JSON.parse(text) as { text: string });
    expect(slack.map(({ text }) => text)).toEqual([
      '[test] Acme &lt;!channel&gt;: 1 webhook endpoint disabled (we_1)',
      '[test] Acme &lt;!channel&gt;: Resolved: the webhook endpoint is enabled again, or deleted (we_1)',
    ]);
    const events = room.fakes.at(PAGERDUTY).map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    const dedup_key = `revtain:${client.clientId}:webhook_endpoint_disabled:we_1`;
    expect(events).toMatchObject([
      { event_action: 'trigger', routing_key: ROUTING_KEY, dedup_key, payload: { severity: 'critical' } },
      { event_action: 'resolve', routing_key: ROUTING_KEY, dedup_key },
    ]);
    const shown = await room.app.http().get(`/api/clients/${client.clientId}`).set('x-api-key', client.apiKey);
    expect(shown.body).toMatchObject({ alertSlackUrlIsSet: true, alertPagerDutyKeyIsSet: true });
    expect(JSON.stringify([shown.body, ...(await room.log(client)), room.app.logLines])).not.toMatch(/T0\/B0|R012345/);
  });
});

describe('a channel that can not deliver', () => {
  it('is stood in for from the start when the server lacks its settings, and the answer says so', async () => {
    const bare = await AlertRoom.open({ SMTP_URL: '', ALERT_FROM: '' });
    try {
      const published = {
        notificationChannels: ['WEBHOOK', 'EMAIL', 'SMS'],
        alertEmails: ['ops@acme.example'],
        alertPhones: ['+15005550010'],
      };
      const client = await bare.client(published);
      const shown = await bare.app.http().get(`/api/clients/${client.clientId}`).set('x-api-key', client.apiKey);
      expect((shown.body as { warnings: string[] }).warnings).toEqual([
        'WEBHOOK: alertWebhookUrl is not set',
        'EMAIL: SMTP_URL is not set',
        'EMAIL: ALERT_FROM is not set',
      ]);
      await bare.raise(client);
      await bare.pass(GROUP_WAIT_MS);
      expect(await bare.log(client)).toMatchObject([
        {
          channel: 'SMS',
          status: 'sent',
          inPlaceOf: ['WEBHOOK: alertWebhookUrl is not set', 'EMAIL: SMTP_URL, ALERT_FROM are not set'],
        },
      ]);
    } finally {
      await bare.close();
    }
  });

  it('hands over to the next one, which says so; both ends are in the log, and its failing is an alert', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SLACK'],
      alertEmails: ['gone@acme.example'],
      alertSlackUrl: `${room.fakes.url}/services/fallback`,
      alertSettings: { kinds: { late_success: { channels: ['EMAIL'] } } },
    });
    room.mail.refusals.push(550);
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    await room.pass(GROUP_WAIT_MS);
    const texts = room.fakes.at(/fallback/).map(({ text }) => text);
    expect(
      texts.some((text) => text.includes('1 late payment after a failure') && text.includes('EMAIL: SMTP 550')),
    ).toBe(true);
    expect(texts.some((text) => text.includes('alert channel failing (EMAIL)'))).toBe(true);
    const log = await room.log(client);
    expect(log.filter(({ channel }) => channel === 'EMAIL')).toMatchObject([
      { status: 'failed', lastError: 'SMTP 550', fellBackTo: 'SLACK' },
    ]);
    await room.raise(client);
    await room.pass(10 * MINUTE_MS);
    await room.pass(10 * MINUTE_MS);
    expect(room.fakes.at(/fallback/).at(-1)?.text).toContain('Resolved: the alert channel works again (EMAIL)');
  });

  it('does not hand over while one of its addresses is told', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SMS'],
      alertEmails: ['gone@acme.example', 'there@acme.example'],
      alertPhones: ['+15005550012'],
    });
    room.mail.refusals.push(550);
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    await room.pass(10 * MINUTE_MS);
    expect(
      (await room.log(client)).map(({ channel, status, fellBackTo }) => ({ channel, status, fellBackTo })),
    ).toEqual(
      expect.arrayContaining([
        { channel: 'EMAIL', status: 'sent', fellBackTo: null },
        { channel: 'EMAIL', status: 'failed', fellBackTo: null },
      ]),
    );
    expect(room.fakes.at(TWILIO)).toEqual([]);
  });

  it('leaves what it had not told yet to the next one when it is taken off', async () => {
    const targets = { alertEmails: ['off@acme.example'], alertSlackUrl: `${room.fakes.url}/services/taken` };
    const client = await room.client({ notificationChannels: ['EMAIL'], ...targets });
    await room.raise(client);
    await room.work();
    await patch(client, { notificationChannels: ['SLACK'] });
    await room.pass(GROUP_WAIT_MS);
    await room.pass(GROUP_WAIT_MS);
    expect(mailTo('off@acme.example')).toEqual([]);
    const texts = room.fakes.at(/taken/).map(({ text }) => text);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain('EMAIL was taken off');
  });

  it('keeps what it had to tell until it is set up, where no other can tell it', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'] });
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    await room.pass(2 * HOUR_MS, 10 * MINUTE_MS);
    await patch(client, { alertEmails: ['setup@acme.example'] });
    await room.pass(10 * MINUTE_MS);
    expect(mailTo('setup@acme.example').map(({ mail }) => mail.subject)).toEqual([
      '[test] Acme: 1 late payment after a failure',
    ]);
  });

  it('is tried again for what is temporary, and by itself for a day where no other stands ready', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['slow@acme.example'] });
    room.mail.refusals.push(451, 421, 451, 451, 451);
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    for (const waitMs of [10_000, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS]) await room.pass(waitMs);
    expect(mailTo('slow@acme.example')).toHaveLength(1);
    expect(await room.log(client)).toMatchObject([{ status: 'sent', tryCount: 6 }]);
  });
});

describe('settings', () => {
  it.each([
    [{ alertPhones: ['030 123456'] }, 'alertPhones'],
    [{ alertPhones: ['+49301'] }, 'alertPhones'],
    [{ alertEmails: ['a@b, c@d.example'] }, 'alertEmails'],
    [{ alertSlackUrl: 'http://hooks.slack.example/x' }, 'alertSlackUrl'],
    [{ alertSlackUrl: 'https://10.0.0.1/x' }, 'alertSlackUrl'],
    [{ alertPagerDutyKey: 'short' }, 'alertPagerDutyKey'],
    [{ alertSettings: { digestHour: 24 } }, 'alertSettings.digestHour'],
    [{ alertSettings: { quietHours: { from: '22:00' } } }, 'alertSettings.quietHours.to'],
    [{ alertSettings: { hourlyCaps: { EMAIL: 0 } } }, 'alertSettings.hourlyCaps.EMAIL'],
    [{ alertSettings: { kinds: { recovery_failed: { mode: 'weekly' } } } }, 'alertSettings.kinds.recovery_failed.mode'],
    [{ alertSettings: { kinds: { no_such_kind: {} } } }, 'alertSettings.kinds.no_such_kind'],
  ])('%j is refused, naming the field', async (body, field) => {
    const client = await room.client({});
    const answer = await patch(client, body);
    expect({
      status: answer.status,
      fields: (answer.body as { errors: { field: string }[] }).errors.map((each) => each.field),
    }).toEqual({
      status: 400,
      fields: [field],
    });
  });

  it('hold by kind: off says nothing, a digest tells once a day, and quiet hours wait', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL'],
      alertEmails: ['settings@acme.example'],
      timezone: 'America/New_York',
      alertSettings: {
        digestHour: 7,
        quietHours: { from: '00:00', to: '23:59' },
        kinds: { late_success: { mode: 'off' }, recovery_failed: { mode: 'digest' } },
      },
    });
    await room.raiseMany(client, [
      { kind: 'late_success' },
      { kind: 'configuration_error', facts: { code: 'parameter_missing' } },
      { kind: 'recovery_failed', severity: 'info' },
      { kind: 'recovery_failed', severity: 'info' },
    ]);
    await room.pass(GROUP_WAIT_MS);
    expect(mailTo('settings@acme.example')).toEqual([]);
    await room.pass(26 * HOUR_MS, 30 * MINUTE_MS);
    const subjects = mailTo('settings@acme.example').map(({ mail }) => mail.subject?.replace(/^.*?: /, ''));
    expect(subjects.sort()).toEqual(['1 request refused by the gateway', 'Daily digest: 2 alerts']);
    // Taken off, they hold from the next alert on.
    await patch(client, { alertSettings: {} });
    await room.raise(client, { kind: 'configuration_error' });
    await room.pass(GROUP_WAIT_MS);
    expect(mailTo('settings@acme.example').at(-1)?.mail.subject).toContain('1 request refused by the gateway');
  });
});

describe('the test button', () => {
  it('sends to every place at once, and answers what became of each', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SMS', 'SLACK'],
      alertEmails: ['test@acme.example', 'full@acme.example'],
      alertPhones: ['+15005550011'],
    });
    const path = `/api/clients/${client.clientId}/alerts/test`;
    room.mail.refusals.push(552);
    const answer = await room.app.http().post(path).set('x-api-key', client.apiKey).send({});
    contractChecker().checkResponse({
      method: 'POST',
      path,
      status: answer.status,
      headers: answer.headers,
      body: answer.body,
    });
    const { data, warnings } = answer.body as {
      data: { channel: string; status: string; lastError: string | null }[];
      warnings: string[];
    };
    expect(
      data.map(({ channel, status, lastError }) => `${channel} ${status} ${lastError ?? ''}`.trim()).sort(),
    ).toEqual(['EMAIL failed SMTP 552', 'EMAIL sent', 'SMS sent']);
    expect(warnings).toEqual(['SLACK: alertSlackUrl is not set']);
    expect(room.mail.received[0]?.mail.subject).toBe('[test] Acme: Test alert');
    expect(new URLSearchParams(room.fakes.at(TWILIO)[0]?.text).get('Body')).toBe(
      '[test] Acme: test alert of Revtain. Nothing is wrong.',
    );
    const other = await room.client({});
    const foreign = await room.app.http().post(path).set('x-api-key', other.apiKey).send({});
    expect(foreign.status).toBe(404);
    expect(await room.log(other)).toEqual([]);
  });
});

describe('the log', () => {
  it('is paged, newest first, and filtered', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['log@acme.example'] });
    for (let index = 0; index < 3; index += 1) {
      await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
      await room.pass(10 * MINUTE_MS);
    }
    const all = await room.log(client);
    expect(all).toHaveLength(3);
    const get = (query: string) =>
      room.app.http().get(`/api/clients/${client.clientId}/alerts?${query}`).set('x-api-key', client.apiKey);
    const first = (await get('limit=2')).body as { data: { id: string }[]; hasMore: boolean; nextAfter: string };
    expect(first).toMatchObject({ data: all.slice(0, 2), hasMore: true, nextAfter: all[1]?.['id'] });
    expect((await get(`limit=2&after=${first.nextAfter}`)).body).toMatchObject({
      data: all.slice(2),
      hasMore: false,
      nextAfter: null,
    });
    expect((await get('status=failed')).body).toMatchObject({ data: [] });
    expect((await get('after=nothing')).body).toMatchObject({ code: 'invalid_cursor' });
    expect((await get('colour=red')).body).toMatchObject({ code: 'unknown_field' });
  });
});
