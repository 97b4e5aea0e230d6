import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';

import { makeCheckout, removeCheckout, serverPid, StartedProduct } from './support/started-product.js';

const NPM_START = ['npm', 'start'];
const BUILT = ['node', '--enable-source-maps', 'dist/main.js'];
const SERVES = /serves at (\S+)/;
const LAST_LINE_OF_BANNER = /"order-\w+-4"}'\n/;

/** These run in order, as a new user does: one checkout, built once by `npm start`. */
describe('npm start', () => {
  let checkout: string;
  let product: StartedProduct;
  let url: string;
  let key: string;
  const started: StartedProduct[] = [];

  beforeAll(() => {
    checkout = makeCheckout();
  });

  afterAll(async () => {
    for (const each of started) await each.killHard();
    for (const folder of ['.data', 'other']) {
      const pid = serverPid(join(checkout, folder));
      if (pid !== null) process.kill(pid, 'SIGQUIT');
    }
    removeCheckout(checkout);
  });

  it('runs everything and says where, with what key, and what to try next', async () => {
    product = await start(NPM_START);
    const [, merchantKey] = await product.says(/demo merchant {2}(rev_[\w-]{32}) /);
    key = merchantKey ?? '';
    expect(product.stdout).toContain(`${url}/docs`);
    expect(readFileSync(join(checkout, '.data', 'demo.key'), 'utf8')).toBe(`${key}\n`);
    for (const file of ['demo.key', 'demo-merchant.json', 'admin.key', 'master.key']) {
      expect(statSync(join(checkout, '.data', file)).mode & 0o777).toBe(0o600);
    }
    expect((await request(`${url}/readyz`)).statusCode).toBe(200);
    expect((await request(`${url}/docs`)).statusCode).toBe(200);
  }, 180_000); // It builds first.

  it('shows four stories: the lines it printed answer as they say, and each webhook is verified and printed', async () => {
    const statuses: number[] = [];
    for (const { path, body } of printedCalls(product.stdout)) statuses.push((await post(path, body)).status);
    expect(statuses).toEqual([200, 202, 200, 202, 200, 403]);

    await product.says(/── recovery\.blocked ── both signatures verified ──/, 10_000);
    const headlines = [...product.stdout.matchAll(/^── (\S+) ── (.*) ──$/gm)].map(([, event, verdict]) => [
      event,
      verdict,
    ]);
    const scheduled = 'recovery.scheduled';
    const ends = ['recovery.success', 'recovery.success', 'recovery.failed', 'recovery.blocked'];
    expect(headlines.map(([event]) => event).filter((event) => event !== scheduled)).toEqual(ends);
    expect(headlines.filter(([event]) => event === scheduled)).toHaveLength(4);
    expect(new Set(headlines.map(([, verdict]) => verdict))).toEqual(new Set(['both signatures verified']));
    const failed = product.stdout.split(/^(?=── )/m).find((block) => block.startsWith('── recovery.failed'));
    expect(failed).toMatch(/^ {3}recommendedAction +request_card_update$/m);
    expect(product.stdout).not.toContain('{"level"'); // No log line drowns the webhooks.
  });

  it('refuses a second start on its folder, naming itself, and goes on', async () => {
    const second = run(BUILT, { PORT: '0' });
    expect(await second.ended()).toBe(1);
    expect(second.stderr).toMatch(/^The data folder .*\.data is already in use \(pid \d+, port \d+\): .*\n$/);
    expect(second.stderr).toContain(`port ${new URL(url).port})`);
    expect((await request(`${url}/readyz`)).statusCode).toBe(200);
  });

  it('stops by Ctrl-C with exit 0 and leaves no database running', async () => {
    const server = serverPid(join(checkout, '.data'));
    expect(server).not.toBeNull();
    expect(await product.interrupt()).toBe(0);
    expect(serverPid(join(checkout, '.data'))).toBeNull();
    expect(product.stderr).not.toMatch(/error/i);
  });

  it('keeps everything for the next start, which offers new orders from where the clock stands', async () => {
    const [first] = printedCalls(product.stdout);
    const before = product.stdout;
    product = await start(BUILT);
    await product.says(new RegExp(`demo merchant {2}${key} `));
    const replay = await post(first?.path ?? '', first?.body ?? '');
    expect([replay.status, replay.replayed]).toEqual([200, 'true']);

    const again = printedCalls(product.stdout);
    expect(again.filter(({ body }) => before.includes(body))).toEqual([]);
    const clock = again.find(({ path }) => path === '/api/sandbox/clock');
    expect(await post(clock?.path ?? '', clock?.body ?? '')).toMatchObject({ status: 200 });
  });

  it('takes over the database that a kill left running', async () => {
    const server = serverPid(join(checkout, '.data'));
    await product.killHard();
    expect(serverPid(join(checkout, '.data'))).toBe(server);

    product = await start(BUILT);
    expect(serverPid(join(checkout, '.data'))).toBe(server);
    expect(product.stdout).toContain('found running and taken over');
    expect((await request(`${url}/api/recovery`, { headers: { 'x-api-key': key } })).statusCode).toBe(200);
    expect(await product.interrupt()).toBe(0);
    expect(serverPid(join(checkout, '.data'))).toBeNull();
  });

  it('ends with one fatal line and exit 1 when its database is killed under it, and the next start has all data', async () => {
    product = await start(BUILT);
    process.kill(serverPid(join(checkout, '.data')) ?? 0, 'SIGKILL');
    expect(await product.ended()).toBe(1);
    const fatal = product.stdout.split('\n').filter((line) => line.startsWith('{"level":60'));
    expect(fatal.map((line) => JSON.parse(line) as object)).toMatchObject([
      { event: 'database.gone', text: expect.stringMatching(/^The embedded PostgreSQL \(pid \d+\) has ended; see /) },
    ]);

    product = await start(BUILT);
    expect((await request(`${url}/api/recovery`, { headers: { 'x-api-key': key } })).statusCode).toBe(200);
    expect(await product.interrupt()).toBe(0);
  });

  it.each(['PORT', 'REVTAIN_DEMO_RECEIVER_PORT'])(
    'names %s in one line when that port is in use, and stops the database it had started',
    async (setting) => {
      const { server, port } = await occupyPort();
      const settings = { PORT: '0', REVTAIN_DATA_DIR: 'other', [setting]: String(port) };
      const refused = run(BUILT, settings);
      expect(await refused.ended()).toBe(1);
      server.close();
      expect(refused.stderr).toMatch(new RegExp(`^${setting} .*${port}.*in use.*\n$`));
      expect(statSync(join(checkout, 'other', 'postgres', 'cluster')).isDirectory()).toBe(true);
      expect(serverPid(join(checkout, 'other'))).toBeNull();
    },
  );

  it('names a bad setting in one line and touches nothing', async () => {
    const refused = run(BUILT, { PORT: 'many', REVTAIN_DATA_DIR: 'never' });
    expect(await refused.ended()).toBe(1);
    expect(refused.stderr).toMatch(/^PORT is not valid; accepted: .*\n$/);
    expect(statSync(join(checkout, 'never'), { throwIfNoEntry: false })).toBeUndefined();
  });

  async function start(command: string[]): Promise<StartedProduct> {
    const begun = run(command, { PORT: '0' });
    const [, address] = await begun.says(SERVES);
    await begun.says(LAST_LINE_OF_BANNER);
    url = address ?? '';
    return begun;
  }

  function run(command: string[], settings: Record<string, string>): StartedProduct {
    const begun = StartedProduct.run(checkout, command, settings);
    started.push(begun);
    return begun;
  }

  async function post(path: string, body: string) {
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const answer = await request(`${url}${path}`, { method: 'POST', headers, body });
    await answer.body.dump();
    return { status: answer.statusCode, replayed: answer.headers['idempotent-replayed'] };
  }
});

interface PrintedCall {
  path: string;
  body: string;
}

function printedCalls(banner: string): PrintedCall[] {
  const lines = [...banner.matchAll(/^curl .* \$API(\S+) .*\\\n {2}-d '(.*)'$/gm)];
  return lines.map(([, path = '', body = '']) => ({ path, body }));
}

function occupyPort(): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      resolve({ server, port: (server.address() as { port: number }).port });
    });
  });
}
