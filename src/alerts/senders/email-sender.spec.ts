import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';
import { SMTPServer } from 'smtp-server';

import type { AlertAccount, AlertServer } from '../../clients/alert-accounts.service.js';
import type { OutgoingMessage } from '../message.js';
import { EmailSender } from './email-sender.js';

const LINKS = { console: 'https://revtain.example/console', unsubscribe: null };
const MESSAGE: OutgoingMessage = {
  id: '1',
  notificationId: '1',
  clientId: 'cli_1',
  channel: 'EMAIL',
  target: 'ops@acme.example',
  threadId: '1',
  content: {
    purpose: 'test',
    severity: 'info',
    clientId: 'cli_1',
    clientName: 'Acme',
    livemode: true,
    locale: 'en',
    zone: 'UTC',
    parts: [],
    hourlyCap: null,
    inPlaceOf: [],
    createdAt: '2026-11-21T12:00:00.000Z',
  },
  createdAt: new Date('2026-11-21T12:00:00Z'),
};

const ACCOUNT: AlertAccount = {
  clientId: 'cli_1',
  name: 'Acme',
  livemode: true,
  isTest: false,
  locale: 'en',
  timezone: null,
  settings: {},
  emails: ['ops@acme.example'],
  phones: [],
  webhookUrl: null,
  channels: [],
  sealed: { alertWebhookSecretSealed: null, alertSlackUrlSealed: null, alertPagerDutyKeySealed: null },
};

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function send(smtpUrl: string) {
  const server: AlertServer = {
    smtpUrl,
    alertFrom: 'alerts@revtain.example',
    twilio: { accountSid: null, authToken: null, from: null, apiBase: 'https://api.twilio.com' },
    pagerDutyApiBase: 'https://events.pagerduty.com',
  };
  return new EmailSender(server).send(MESSAGE, ACCOUNT, LINKS);
}

/** A server that does with each connection what it is told. */
async function rawServer(take: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    take(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function smtpServer(options: ConstructorParameters<typeof SMTPServer>[0]): Promise<string> {
  const server = new SMTPServer({
    authOptional: true,
    onData: (stream, _session, done) => stream.resume().on('end', () => done()),
    ...options,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(() => new Promise((resolve) => server.close(() => resolve())));
  return `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
}

describe('what a mail server does', () => {
  it('accepts', async () => {
    expect(await send(await smtpServer({ disabledCommands: ['STARTTLS'] }))).toEqual({ kind: 'sent' });
  });

  it('offers no STARTTLS where the URL requires it: nothing is sent in the clear', async () => {
    let mails = 0;
    const url = await smtpServer({
      disabledCommands: ['STARTTLS'],
      onData: (stream, _session, done) => {
        mails += 1;
        stream.resume().on('end', () => done());
      },
    });
    expect(await send(`${url}?requireTLS=true`)).toMatchObject({ kind: 'refused' });
    expect(mails).toBe(0);
  });

  it.each([
    ['421 busy', { kind: 'try_again', error: 'SMTP 421' }],
    ['554 no', { kind: 'refused', error: 'SMTP 554' }],
  ])('greets with %s', async (greeting, expected) => {
    expect(await send(await rawServer((socket) => socket.end(`${greeting}\r\n`)))).toMatchObject(expected);
  });

  it('never greets: given up after five seconds, not minutes', async () => {
    const startedMs = performance.now();
    expect(await send(await rawServer(() => undefined))).toMatchObject({ kind: 'try_again', error: 'SMTP ETIMEDOUT' });
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  });

  it('is not there', async () => {
    expect(await send('smtp://127.0.0.1:1')).toEqual({ kind: 'try_again', error: 'SMTP ESOCKET', afterMs: null });
  });
});
