import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';

import { ADMIN_KEY, startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { routesOf } from '../support/route-list.js';
import { severable } from '../support/severed-database.js';

const CARD = '4242 4242 4242 4242';
// Pages that people open from a mail or come to from Stripe carry a proof of their own, and platforms sign.
const OPEN_ROUTES =
  /^\/(healthz|readyz|metrics|docs|openapi\.|api\/lookup\/|alerts\/unsubscribe\/|card-updates?\/|update-card\/|webhooks\/stripe|api\/connectors\/(stripe\/callback|\w+\/webhook\/))/;

const BUTTONS_AND_SIGNED =
  /^\/(alerts\/unsubscribe|card-updates?|update-card|webhooks\/stripe|api\/connectors\/(stripe\/callback|\w+\/webhook))\b/;

describe('a running service', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  const routes = () =>
    routesOf(app.service.app).map(({ method, path }) => ({ method, path: path.replaceAll(/\{\w+\}/g, 'x') }));
  const send = (method: string, path: string) => {
    const verb = method.toLowerCase() as 'get' | 'post' | 'patch' | 'delete';
    return app.http()[verb](path);
  };

  it('is alive and ready', async () => {
    expect((await app.http().get('/healthz')).body).toEqual({ status: 'ok' });
    const ready = await app.http().get('/readyz');
    expect(ready.body).toEqual({ status: 'ready', checks: { database: 'ok', migrations: 'ok', gateway: 'ok' } });
  });

  it('serves its contract as YAML, as JSON and as a page that loads nothing from elsewhere', async () => {
    const yaml = await app.http().get('/openapi.yaml');
    expect(yaml.headers['content-type']).toBe('application/yaml; charset=utf-8');
    expect((await app.http().get('/openapi.json')).body).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
    const page = await app.http().get('/docs');
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    // With an icon in the page itself no browser asks for /favicon.ico, which is not there.
    expect(page.text).toMatch(/<link rel="icon" href="data:image\/svg/);
    const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? '');
    const addresses = named.filter((address) => !address.startsWith('data:'));
    expect(addresses.length).toBeGreaterThan(2);
    for (const address of addresses) {
      expect(address).toMatch(/^\//);
      expect((await app.http().get(address)).status).toBe(200);
    }
    expect((await app.http().get('/docs/package.json')).status).toBe(404);
  });

  it('answers 401 on every route but the open ones, before it looks at anything else', async () => {
    let asked = 0;
    for (const { method, path } of routes()) {
      if (OPEN_ROUTES.test(path)) continue;
      asked += 1;
      const answer = await send(method, path).set('content-type', 'text/plain');
      expect({ method, path, status: answer.status }).toEqual({ method, path, status: 401 });
    }
    expect(asked).toBeGreaterThan(20);
  });

  it('answers HEAD on every GET route as GET, without the body: probes and load balancers ask so', async () => {
    const { apiKey } = await app.createClient();
    for (const { path } of routes().filter(({ method }) => method === 'GET')) {
      for (const headers of [{}, { 'x-api-key': apiKey }]) {
        const [head, get] = [await app.http().head(path).set(headers), await app.http().get(path).set(headers)];
        expect([path, head.status, head.headers['content-type']]).toEqual([
          path,
          get.status,
          get.headers['content-type'],
        ]);
        expect(head.text ?? '').toBe('');
      }
    }
    expect((await app.http().head('/healthz')).status).toBe(200);
    expect((await app.http().head('/readyz')).status).toBe(200);
  });

  it('refuses a card number in the body of every route that takes one, and neither echoes, stores nor logs it', async () => {
    const { apiKey } = await app.createClient();
    let asked = 0;
    for (const { method, path } of routes()) {
      if (method !== 'POST' && method !== 'PATCH') continue;
      // Their signature, or the proof in their form, is asked for before their body is looked at.
      if (BUTTONS_AND_SIGNED.test(path)) continue;
      asked += 1;
      const answer = await send(method, path)
        .set('x-api-key', apiKey)
        .set('x-admin-key', ADMIN_KEY)
        .send({ metadata: { deep: [{ note: `card ${CARD}` }] } });
      expect({ path, status: answer.status, body: answer.body as object }).toMatchObject({
        path,
        status: 400,
        body: { code: 'card_number_refused', errors: [{ field: 'metadata.deep[0].note' }] },
      });
      expect(answer.text).not.toContain('4242');
    }
    expect(asked).toBeGreaterThan(10);
    expect(app.logLines.join('')).not.toContain('4242');
  });

  it('counts executes and says how many are left, on every answer', async () => {
    const { apiKey } = await app.createClient({ executesPerMinute: 2 });
    const execute = () => app.http().post('/api/recovery/execute').set('x-api-key', apiKey).send({});
    const answers = [await execute(), await execute(), await execute()];
    const told = answers.map(({ status, headers }) => [status, headers['ratelimit-remaining']]);
    // A minute may turn between them; then the count begins anew.
    expect([
      JSON.stringify([
        [400, '1'],
        [400, '0'],
        [429, '0'],
      ]),
    ]).toContain(JSON.stringify(told));
    expect(answers[2]?.body).toMatchObject({
      code: 'rate_limited',
      retryAfter: expect.stringMatching(/^\d+ seconds$/),
    });
    expect(answers[2]?.headers['retry-after']).toMatch(/^\d+$/);
  });
});

describe('a service whose database goes away', () => {
  it('stays alive, is not ready, and answers 503 to what it could not keep; and comes back', async () => {
    const database = await severable(await createTestDatabase());
    const app = await startTestApp({ database });
    try {
      const { apiKey } = await app.createClient();
      const execute = () =>
        app.http().post('/execute').set('x-api-key', apiKey).send({ paymentMethodToken: 'pm_card_visa', amount: 2500 });
      await database.cut();
      const refused = await execute();
      expect(refused.status).toBe(503);
      expect(refused.body).toMatchObject({ code: 'not_accepted' });
      expect(refused.headers['retry-after']).toMatch(/^\d+$/);
      expect((await app.http().get('/healthz')).status).toBe(200);
      const ready = await app.http().get('/readyz');
      expect(ready.status).toBe(503);
      expect(ready.body).toMatchObject({ code: 'not_ready', checks: { database: 'failed' } });
      await database.mend();
      expect((await execute()).status).toBe(200);
    } finally {
      await app.stop();
      await database.drop();
    }
  });
});

describe('a worker', () => {
  it('serves its probes and nothing else', async () => {
    const app = await startTestApp({ settings: { REVTAIN_ROLE: 'worker' } });
    try {
      expect((await app.http().get('/readyz')).status).toBe(200);
      for (const path of ['/api/clients', '/docs', '/api/recovery'])
        expect((await app.http().get(path)).status).toBe(404);
    } finally {
      await app.stop();
    }
  });
});

describe('the process', () => {
  let database: TestDatabase;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await database.drop();
  });

  const start = (settings: Record<string, string>): Started => {
    const child = spawnService({ ...settings, DATABASE_URL: database.url });
    children.push(child.process);
    return child;
  };

  it('finishes what is on the wire at SIGTERM, then exits 0', async () => {
    const service = start({ PORT: '0', REVTAIN_GATEWAY_TIMEOUT_MS: '2000' });
    const url = await service.serving;
    const made = await request(url)
      .post('/api/clients')
      .set('x-admin-key', ADMIN_KEY)
      .send({ name: 'A', gateway: { provider: 'test' } });
    const { apiKey } = made.body as { apiKey: string };
    const body = { paymentMethodToken: 'pm_test_fault_timeout_before_charge', amount: 2500 };
    const answer = request(url).post('/execute').set('x-api-key', apiKey).send(body).then();
    await new Promise((resolve) => setTimeout(resolve, 500));
    service.process.kill('SIGTERM');
    expect(await answer).toMatchObject({ status: 202, body: { status: 'unknown' } });
    expect(await service.ended).toEqual({ code: 0, signal: null });
    expect(service.output()).not.toMatch(/"level":(50|60)/);
  });

  it('writes nothing but lines of JSON where no person reads, one of them with its address, whatever the level', async () => {
    const service = start({ PORT: '0', LOG_LEVEL: 'error' });
    const url = await service.serving;
    service.process.kill('SIGTERM');
    await service.ended;
    const lines = service.output().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { event: 'service.started', role: 'all', url },
    ]);
  });

  it('says in one line that its port is in use, and exits 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const service = start({ PORT: String(port), LOG_LEVEL: 'error' });
    service.serving.catch(() => undefined);
    expect(await service.ended).toEqual({ code: 1, signal: null });
    expect(service.output().trim()).toBe(
      `PORT ${port} on HOST 127.0.0.1 is in use: set PORT to a free one, or stop what uses it.`,
    );
    holder.close();
  });

  it('says in one line which setting is wrong, or that the database is not there, and exits 1', async () => {
    const wrong = start({ PORT: 'many' });
    wrong.serving.catch(() => undefined);
    expect(await wrong.ended).toEqual({ code: 1, signal: null });
    expect(wrong.output().trim()).toMatch(/^PORT[^\n]*$/);

    const lost = spawnService({ DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none', LOG_LEVEL: 'error' });
    children.push(lost.process);
    lost.serving.catch(() => undefined);
    expect(await lost.ended).toEqual({ code: 1, signal: null });
    expect(lost.output().trim()).toMatch(/^DATABASE_URL[^\n]*ECONNREFUSED[^\n]*$/);
    expect(lost.output()).not.toContain('secret');
  });

  it('says in one line that its data folder can not be made, where a folder takes no entries', async () => {
    const homeless = spawnService({ REVTAIN_DATA_DIR: '/proc/revtain/data', REVTAIN_MASTER_KEY: '' });
    children.push(homeless.process);
    homeless.serving.catch(() => undefined);
    expect(await homeless.ended).toEqual({ code: 1, signal: null });
    expect(homeless.output().trim()).toMatch(/^REVTAIN_DATA_DIR cannot be used \(E\w+: [^\n]*$/);
  });
});

interface Started {
  process: ChildProcess;
  /** Its address, once it serves. */
  serving: Promise<string>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** All it has printed. */
  output: () => string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Starts the service as a process of its own. */
function spawnService(settings: Record<string, string>): Started {
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      REVTAIN_ADMIN_KEY: ADMIN_KEY,
      REVTAIN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
      ...settings,
    },
  });
  let printed = '';
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const serving = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
        const url = /"url":"([^"]+)","event":"service.started"/.exec(printed)?.[1];
        if (url) resolve(url);
      });
    }
    void ended.then(() => reject(new Error(`it ended before it served: ${printed}`)));
  });
  return { process: child, serving, ended, output: () => printed };
}
