import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { AlertRoom } from '../support/alert-room.js';
import type { TestClient } from '../support/app.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GROUP_WAIT_MS = 30_000;

let room: AlertRoom;

beforeAll(async () => {
  room = await AlertRoom.open();
});

beforeEach(async () => {
  room.fakes.calls.length = 0;
  // The clients of earlier tests are silent, for refusals are given to whoever sends next.
  await room.sql(`UPDATE clients SET notification_channels = '{}'`);
  await room.sql(`UPDATE alert_messages SET status = 'failed', next_try_at = NULL WHERE status = 'queued'`);
});

afterAll(async () => {
  expect(room.fakes.complaints).toEqual([]);
  await room.close();
});

const bare = (text: string | undefined) => text?.replace(/^.*?: /, '');
const mailsTo = (address: string) =>
  room.mail.received.filter(({ to }) => to.includes(address)).map(({ mail }) => bare(mail.subject));
const slackUrl = (name: string) => `${room.fakes.url}/services/${name}`;
const slackTexts = (name: string) =>
  room.fakes.at(new RegExp(`/services/${name}$`)).map(({ text }) => (JSON.parse(text) as { text: string }).text);
const onlyByMail = (...kinds: string[]) => ({
  alertSettings: { kinds: Object.fromEntries(kinds.map((kind) => [kind, { channels: ['EMAIL'] }])) },
});

async function patch({ clientId, apiKey }: TestClient, body: object) {
  const answer = await room.app.http().patch(`/api/clients/${clientId}`).set('x-api-key', apiKey).send(body);
  expect(answer.status).toBe(200);
}

describe('where every channel is away', () => {
  it('the last one goes on for a day, and the alert is told when it is back', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SLACK'],
      alertEmails: ['away@acme.example'],
      alertSlackUrl: slackUrl('away'),
    });
    for (let count = 0; count < 4; count += 1) {
      room.mail.refusals.push(421);
      room.fakes.answerNext(/services\/away/, { status: 503 });
    }
    await room.raise(client);
    for (const waitMs of [GROUP_WAIT_MS, 10_000, MINUTE_MS, 5 * MINUTE_MS]) await room.pass(waitMs);
    expect(room.mail.refusals).toEqual([]);
    await room.pass(2 * HOUR_MS, 15 * MINUTE_MS);
    const told = [...mailsTo('away@acme.example'), ...slackTexts('away').slice(4).map(bare)];
    expect(told.filter((text) => text === '1 late payment after a failure')).toHaveLength(1);
  });

  it('what is refused is tried again as well, for its setting may be mended: here by another address', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['gone@acme.example'] });
    room.mail.refusals.push(550);
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    await patch(client, { alertEmails: ['there@acme.example', 'here@acme.example'] });
    await room.pass(2 * HOUR_MS, 15 * MINUTE_MS);
    expect(mailsTo('gone@acme.example')).toEqual([]);
    expect(mailsTo('there@acme.example')).toEqual(['1 late payment after a failure']);
    expect(mailsTo('here@acme.example')).toEqual(['1 late payment after a failure']);
    const log = await room.log(client);
    expect(log.filter(({ status }) => status === 'failed')).toMatchObject([{ lastError: 'the address was taken off' }]);
  });
});

describe('a channel that takes over', () => {
  it('what goes on tells it as news, and its end when it ends: never an end that has not come', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SLACK'],
      alertEmails: ['repeat@acme.example'],
      alertSlackUrl: slackUrl('repeat'),
      ...onlyByMail('credentials_refused'),
    });
    await room.raise(client, { kind: 'credentials_refused', severity: 'critical', dedupeKey: 'credentials_refused' });
    await room.pass(GROUP_WAIT_MS);
    room.mail.refusals.push(550);
    await room.pass(4 * HOUR_MS);
    await room.pass(20 * MINUTE_MS, MINUTE_MS);
    expect(slackTexts('repeat').map(bare)).toContain('1 gateway refuses the credentials');
    expect(slackTexts('repeat').join()).not.toContain('Resolved: the gateway');
    await room.resolve(client, 'credentials_refused');
    await room.pass(20 * MINUTE_MS, MINUTE_MS);
    expect(slackTexts('repeat').map(bare)).toContain('Resolved: the gateway takes the credentials again');
  });

  it('from one that was taken off tells what is open, and nothing of what is over', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SLACK'],
      alertEmails: ['off@acme.example'],
      alertSlackUrl: slackUrl('off'),
      ...onlyByMail('late_success', 'credentials_refused'),
    });
    await room.raise(client);
    await room.raise(client, { kind: 'credentials_refused', severity: 'critical', dedupeKey: 'credentials_refused' });
    await room.pass(GROUP_WAIT_MS);
    await patch(client, { notificationChannels: ['SLACK'] });
    await room.raise(client, { kind: 'paid_twice', severity: 'critical' });
    await room.pass(20 * MINUTE_MS, MINUTE_MS);
    expect(slackTexts('off').map(bare).sort()).toEqual(['1 debt paid twice', '1 gateway refuses the credentials']);
  });

  it('a daily digest tells it the same morning, once', async () => {
    const kinds = {
      recovery_failed: { mode: 'digest', channels: ['EMAIL'] },
      connector_failing: { mode: 'digest', channels: ['EMAIL'] },
    };
    const client = await room.client({
      notificationChannels: ['EMAIL', 'SLACK'],
      alertEmails: ['digest@acme.example'],
      alertSlackUrl: slackUrl('digest'),
      alertSettings: { kinds, digestHour: 20 },
    });
    await room.raise(client, { kind: 'recovery_failed', severity: 'info' });
    await room.raise(client, { kind: 'connector_failing', facts: { platform: 'stripe-billing' } });
    await room.work();
    const hour = room.clock.now().getUTCHours();
    await room.pass(((20 - hour + 24) % 24) * HOUR_MS - HOUR_MS, HOUR_MS);
    room.mail.refusals.push(550);
    for (let count = 0; count < 12; count += 1) await room.pass(10 * MINUTE_MS);
    const digests = () =>
      slackTexts('digest')
        .map(bare)
        .filter((text) => !text?.includes('alert channel'));
    expect(digests()).toEqual(['Daily digest: 2 alerts']);
    await room.pass(10 * HOUR_MS, HOUR_MS);
    expect(digests()).toHaveLength(1);
  });
});

describe('nothing is told as nothing', () => {
  it('what was closed while it waited for a setting is told with what it holds', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'] });
    await room.raise(client, { kind: 'configuration_error', dedupeKey: 'configuration_error:x' });
    await room.pass(GROUP_WAIT_MS);
    await room.pass(25 * HOUR_MS);
    await room.watch();
    await patch(client, { alertEmails: ['late@acme.example'] });
    await room.pass(10 * MINUTE_MS);
    expect(mailsTo('late@acme.example')).toEqual(['1 request refused by the gateway']);
  });
});

describe('a kind', () => {
  it('that is turned off is silent from then on, also about what goes on', async () => {
    const client = await room.client({ notificationChannels: ['EMAIL'], alertEmails: ['quiet@acme.example'] });
    await room.raise(client, { kind: 'queue_behind', severity: 'critical', dedupeKey: 'queue_behind' });
    await room.pass(GROUP_WAIT_MS);
    await patch(client, { alertSettings: { kinds: { queue_behind: { mode: 'off' } } } });
    await room.pass(10 * HOUR_MS, HOUR_MS);
    await room.resolve(client, 'queue_behind');
    await room.pass(10 * MINUTE_MS);
    expect(mailsTo('quiet@acme.example')).toEqual(['1 queue of retries behind']);
  });

  it('whose channel the client does not have is told on those that it has', async () => {
    const client = await room.client({
      notificationChannels: ['EMAIL'],
      alertEmails: ['instead@acme.example'],
      alertSettings: { kinds: { late_success: { channels: ['SLACK'] } } },
    });
    await room.raise(client);
    await room.pass(GROUP_WAIT_MS);
    expect(mailsTo('instead@acme.example')).toEqual(['1 late payment after a failure']);
  });
});

describe('the test button', () => {
  it('pressed many times at once still sends six text messages a minute, and no more', async () => {
    const client = await room.client({ notificationChannels: ['SMS'], alertPhones: ['+15005550010'] });
    const path = `/api/clients/${client.clientId}/alerts/test`;
    const press = () => room.app.http().post(path).set('x-api-key', client.apiKey);
    const answers = await Promise.all(Array.from({ length: 20 }, press));
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array<number>(6).fill(200),
      ...Array<number>(14).fill(429),
    ]);
    expect(room.fakes.at(/Messages\.json$/)).toHaveLength(6);
    room.clock.advance(MINUTE_MS);
    expect((await press()).status).toBe(200);
  });
});
