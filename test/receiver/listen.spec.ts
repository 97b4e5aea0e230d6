import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { Api } from '../support/api.js';
import { startTestApp, type TestApp, type TestClient } from '../support/app.js';
import { assertSigned, Receiver } from '../support/receiver.js';
import { ListenProcess } from './listen-process.js';

interface Page extends Record<string, unknown> {
  data: { id: string; status: string; lastStatus: number | null; endpointId: string; tryCount: number }[];
}

describe('npm run listen', () => {
  let app: TestApp;
  let handler: Receiver;
  let client: TestClient;
  let api: Api;
  const running: ListenProcess[] = [];
  let names = 0;

  beforeAll(async () => {
    app = await startTestApp();
    handler = await Receiver.start();
  });
  beforeEach(async () => {
    client = await app.createClient();
    api = new Api(app.url, { 'x-api-key': client.apiKey });
  });
  afterEach(async () => {
    for (const process of running.splice(0)) await process.interrupt();
    handler.received.splice(0);
  });
  afterAll(async () => {
    await handler.stop();
    await app.stop();
  });

  function listen(...args: string[]): ListenProcess {
    const started = new ListenProcess(['--api', app.url, '--api-key', client.apiKey, ...args]);
    running.push(started);
    return started;
  }

  /** A recovery that ends in the request, so that `recovery.failed` goes out at once. */
  async function fail(): Promise<void> {
    const named = { reference: `inv_${++names}`, idempotencyKey: `key_${names}` };
    const body = { paymentMethodToken: 'pm_card_visa', amount: 2_500, originalDeclineCode: 'expired_card', ...named };
    await api.post('/api/recovery/execute', body);
  }

  const log = async () => (await api.get<Page>('/api/webhook-deliveries')).body.data;
  const endpoints = async () => (await api.get<Page>('/api/webhook-endpoints')).body.data;

  it('forwards each delivery unchanged, prints it, and removes the endpoint at Ctrl-C', async () => {
    const listening = listen('--forward-to', handler.url('/hook'));
    const [, secret = ''] = await listening.says(/secret of this session: (whsec_\S+)/);
    expect(await endpoints()).toMatchObject([{ description: 'npm run listen', enabled: true }]);

    await fail();
    const [webhook] = await handler.waitFor(({ body }) => body.event === 'recovery.failed');
    if (!webhook) throw new Error('nothing came');
    assertSigned(webhook, secret); // The very bytes and headers, then.
    expect(webhook.headers).toMatchObject({
      'x-revtain-delivery-attempt': '1',
      'x-revtain-sequence': '1',
      host: new URL(handler.url('/')).host,
    });
    expect(webhook.headers['user-agent']).toMatch(/^Revtain-Webhooks\//);
    await listening.says(
      /── recovery\.failed ── signature verified, try 1 ──[^]*declineCode +expired_card[^]*→ 200 OK in \d+ ms/,
    );

    expect(await listening.interrupt()).toBe(0);
    expect(listening.stdout).toMatch(/Stopped; we_\w+ is removed\.\n$/);
    expect(listening.stderr).toBe('');
    expect(await endpoints()).toEqual([]);
  });

  it('gives the answer back to Revtain, which sends the same again', async () => {
    handler.answer('/down', { status: 503, headers: { 'retry-after': '1' } });
    const listening = listen('--forward-to', handler.url('/down'));
    await listening.says(/Ctrl-C stops/);
    await fail();
    await listening.says(/→ 503 Service Unavailable in \d+ ms: Revtain sends it again/);
    const [first, second] = await handler.waitFor(({ path }) => path === '/down', 2);
    expect(second?.bytes).toEqual(first?.bytes);
    expect(second?.headers['x-revtain-delivery-attempt']).toBe('2');
    await listening.says(/try 2 ──[^]*→ 200 OK/);
  });

  it('says so when nothing listens at the handler, and tells Revtain 502', async () => {
    const listening = listen('--forward-to', '1/hook');
    await listening.says(/Ctrl-C stops/);
    await fail();
    await listening.says(/→ not forwarded, Revtain is told 502: nothing listens at http:\/\/localhost:1\/hook: start/);
    await listening.interrupt();
    expect(await log()).toMatchObject([{ lastStatus: 502 }]);
  });

  it('sends the newest delivery again at r and Enter', async () => {
    const listening = listen('--forward-to', handler.url('/hook'));
    await listening.says(/Ctrl-C stops/);
    listening.type('r');
    await listening.says(/not replayed: there is no delivery to replay yet/);
    await fail();
    await listening.says(/→ 200/);
    listening.type('r');
    const [first, second] = await handler.waitFor(({ path }) => path === '/hook', 2);
    expect(second?.bytes).toEqual(first?.bytes);
    await listening.says(/Asked for dlv_\w+ recovery\.failed again/);
    listening.type('what');
    await listening.says(/r and Enter sends the newest delivery again, r dlv_/);
  });

  it('prints a line of JSON per delivery with --print-json, and nothing else there', async () => {
    const listening = listen('--forward-to', handler.url('/hook'), '--print-json', '--events', 'recovery.failed');
    await listening.says(/Ctrl-C stops/, 'stderr');
    await fail();
    await listening.says(/→ 200/, 'stderr');
    await listening.interrupt();
    const lines = listening.stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([handler.at('/hook')[0]?.body]);
  });

  it('asks for the events it is told', async () => {
    const listening = listen('--forward-to', handler.url('/hook'), '--events', 'all');
    await listening.says(/Ctrl-C stops/);
    const [endpoint] = (await api.get('/api/webhook-endpoints')).body['data'] as { events: string[] }[];
    expect(endpoint?.events).toHaveLength(16);
  });

  describe('--replay', () => {
    it.each(['last', 'by id'])(
      'alone sends a delivery (%s) to its own endpoint, and shows the answer',
      async (which) => {
        const path = `/own/${++names}`;
        await api.post('/api/webhook-endpoints', { url: handler.url(path) });
        await fail();
        await handler.waitFor((webhook) => webhook.path === path);
        const [delivery] = await log();
        handler.answer(path, { status: 204 });
        const replay = listen('--replay', which === 'last' ? 'last' : String(delivery?.id));
        expect(await replay.ended()).toBe(0);
        expect(replay.stdout).toBe(`${delivery?.id} recovery.failed to ${handler.url(path)}: 204\n`);
        const [first, second] = handler.at(path);
        expect(second?.bytes).toEqual(first?.bytes);
      },
    );

    it('ends with 1 when it was not taken', async () => {
      const path = `/own/${++names}`;
      await api.post('/api/webhook-endpoints', { url: handler.url(path) });
      await fail();
      await handler.waitFor((webhook) => webhook.path === path);
      handler.answer(path, { status: 500 });
      const replay = listen('--replay', 'last');
      expect(await replay.ended()).toBe(1);
      expect(replay.stdout).toMatch(/: 500\n$/);
    });

    it('of a session that has ended says what to do instead', async () => {
      const listening = listen('--forward-to', handler.url('/hook'));
      await listening.says(/Ctrl-C stops/);
      await fail();
      await listening.says(/→ 200/);
      await listening.interrupt();
      const [delivery] = await log();
      const replay = listen('--replay', String(delivery?.id));
      expect(await replay.ended()).toBe(1);
      expect(replay.stderr).toMatch(
        /^POST .* 409 endpoint_not_enabled .* its own endpoint again, so replay it \(r\)[^\n]*\n$/,
      );
    });

    it('of one that is held says until when, and takes none for the last', async () => {
      await api.post('/api/webhook-endpoints', { url: handler.url(`/own/${++names}`) });
      await api.post('/api/recovery/execute', {
        ...{ paymentMethodToken: 'pm_test_insufficient_funds', amount: 2_500, policy: { attemptsMax: 1 } },
        ...{ reference: `inv_${++names}`, idempotencyKey: `key_${names}` },
      });
      const [delivery] = await log();
      expect(delivery?.status).toBe('held');
      const replay = listen('--replay', String(delivery?.id));
      expect(await replay.ended()).toBe(1);
      expect(replay.stderr).toMatch(/^dlv_\w+ is held until 20\S+Z on the client's clock, and is sent then\n$/);
      const last = listen('--replay', 'last');
      expect(await last.ended()).toBe(1);
      expect(last.stderr).toMatch(/^there is no delivery to replay yet/);
    });

    it('beside --forward-to asks, and goes on listening', async () => {
      const listening = listen('--forward-to', handler.url('/hook'), '--replay', 'last');
      await listening.says(/not replayed: there is no delivery/);
      await fail();
      await listening.says(/→ 200/);
    });
  });

  describe('a wrong call is told in one line that says what to do', () => {
    const oneLine = async (process: ListenProcess) => {
      expect(await process.ended()).toBe(1);
      expect(process.stderr).toMatch(/^[^\n]+\n$/);
      return process.stderr;
    };

    it.each([
      [[], /^--forward-to is missing: give your handler/],
      [['--forward-to', 'http://'], /is no address: give one such as/],
      [
        ['--forward-to', '3001', '--events', 'recovery.faild'],
        /^--events recovery\.faild is no event: give all, or some of/,
      ],
      [['--forward-to', '3001', '--replay', 'dlv_1'], /^--replay dlv_1 is no delivery/],
      [['--forward-to', '3001', '--api-key', 'sk_test_1'], /^--api-key is no secret API key/],
      [['--forward-to', '3001', '--api', 'https://revtain.example'], /is another machine.*run listen over there/],
      [['--forwardto', '3001'], /^Unknown option '--forwardto'.*--help/],
    ])('%j', async (args, message) => {
      expect(await oneLine(listen(...args))).toMatch(message);
    });

    it('a key that is not accepted', async () => {
      const wrong = listen('--forward-to', '3001', '--api-key', 'rev_00000000000000000000000000000000');
      expect(await oneLine(wrong)).toMatch(/answered 401 .*: check --api-key/);
    });

    it('a Revtain that allows no loopback endpoints', async () => {
      const settings = { REVTAIN_ALLOW_LOOPBACK: 'off' };
      const strict = await startTestApp({ settings, database: app.database, masterKey: app.masterKey });
      const message = await oneLine(listen('--forward-to', '3001', '--api', strict.url));
      await strict.stop();
      expect(message).toMatch(/answered 400 invalid_field .*: start that Revtain with REVTAIN_ALLOW_LOOPBACK=on\n$/);
    });

    it('a Revtain that does not run', async () => {
      expect(await oneLine(listen('--forward-to', '3001', '--api', 'http://127.0.0.1:1'))).toMatch(
        /^no Revtain answers at http:\/\/127\.0\.0\.1:1 \(.+\): start it with npm start/,
      );
    });

    it('something else that runs there', async () => {
      const other = createServer((_request, response) => response.end('<html>hello</html>'));
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      expect(await oneLine(listen('--forward-to', '3001', '--api', url))).toMatch(/answered 200, not in JSON/);
      other.close();
    });

    it('an account that has all the endpoints it can have', async () => {
      for (let made = 0; made < 10; made += 1) {
        await api.post('/api/webhook-endpoints', { url: handler.url(`/full/${made}`) });
      }
      expect(await oneLine(listen('--forward-to', '3001'))).toMatch(/409 too_many_endpoints .*: remove one \(DELETE/);
    });
  });

  it('--help tells every option', async () => {
    const help = listen('--help');
    expect(await help.ended()).toBe(0);
    for (const option of ['--forward-to', '--api', '--api-key', '--events', '--print-json', '--replay', '--help']) {
      expect(help.stdout).toContain(`  ${option} `);
    }
  });
});
