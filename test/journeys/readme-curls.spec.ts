import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { startTestApp, type TestApp, type TestClient } from '../support/app.js';
import { Receiver } from '../support/receiver.js';

const ROOT = join(import.meta.dirname, '..', '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const run = promisify(execFile);

describe('what README.md says to paste', () => {
  let app: TestApp;
  let receiver: Receiver;
  let handler: ChildProcess | undefined;
  let handled = '';
  let folder: string;
  let client: TestClient;

  beforeAll(async () => {
    app = await startTestApp();
    receiver = await Receiver.start();
    client = await app.createClient({ webhookUrl: receiver.url('/readme') });
    folder = mkdtempSync(join(tmpdir(), 'revtain readme-'));
    layOut(folder, { 'demo.key': client.apiKey, 'admin.key': app.adminKey });
  });

  afterAll(async () => {
    handler?.kill();
    await receiver.stop();
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts with the two commands', () => {
    expect(blocks('sh').slice(0, 2)).toEqual(['npm ci && npm start', 'npm ci && npm test']);
  });

  it('runs its handler as it stands, which acts on what the four stories send', async () => {
    const port = await freePort();
    handler = await startHandler(port, await addEndpoint(port));
    const shown = await paste(stories());

    expect(shown.map(({ status }) => status)).toEqual([200, 202, 200, 202, 200, 403]);
    expect(shown.map(({ body }) => body['state'] ?? 'moved')).toEqual([
      'succeeded',
      'queued',
      'moved',
      'queued',
      'moved',
      'blocked',
    ]);
    await receiver.waitFor(({ path }) => path === '/readme', 4);
    await until(() => handled.split('\n').length > 4);
    // Debts do not wait for each other, so neither do their webhooks.
    expect(handled.trim().split('\n').sort()).toEqual([
      'ask for a new card: order-1003',
      'ask for a new card: order-1004',
      'mark paid: order-1001',
      'mark paid: order-1002',
    ]);
  });

  it('shows what really comes: every field that it quotes is there with that value', () => {
    const quoted = blocks('').flatMap((block) => block.split(/^(?=── )/m).filter((part) => part.startsWith('── ')));
    expect(quoted).toHaveLength(4);
    for (const block of quoted) {
      const [, type] = /^── (\S+) ──/.exec(block) ?? [];
      const fields = fieldsOf(block);
      const sent = receiver
        .at('/readme')
        .find(({ body }) => body.event === type && body['reference'] === fields['reference']);
      for (const [name, value] of Object.entries(fields)) {
        expect([name, String(sent?.body[name])]).toEqual([name, value]);
      }
    }
  });

  it('repeats the first answer when its line is pasted again, and charges nothing', async () => {
    const before = await charges();
    const [first] = await paste(stories().slice(0, 2));
    expect(first?.status).toBe(200);
    expect(await charges()).toEqual(before);
  });

  it('makes a merchant on Stripe with the line it gives for that', async () => {
    const line = blocks('sh').find((block) => block.includes('X-ADMIN-KEY')) ?? '';
    const [made] = await paste([stories()[0] ?? '', line.replace('sk_test_…', 'sk_test_51readme')]);
    expect(made?.body).toMatchObject({ name: 'Acme', gateway: { provider: 'stripe' }, livemode: false });
  });

  /** The first sets API and KEY, the others are the four stories. */
  function stories(): string[] {
    return blocks('sh').filter((block) => block.startsWith('API=') || block.includes('$API/api/recovery'));
  }

  /** Runs the blocks in one shell, as somebody pastes them, beside a `.data` folder. */
  async function paste(commands: string[]): Promise<{ status: number; body: Record<string, unknown> }[]> {
    const script = commands.join('\n').replaceAll('http://127.0.0.1:3000', app.url);
    const { stdout } = await run('sh', ['-eu', '-c', script], {
      cwd: folder,
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
    });
    return [...stdout.matchAll(/^(\{.*\})(?:\n(\d{3}))?$/gm)].map(([, body = '', status]) => ({
      status: Number(status),
      body: JSON.parse(body) as Record<string, unknown>,
    }));
  }

  async function charges(): Promise<unknown> {
    return (await app.http().get('/api/sandbox/ledger').set('x-api-key', client.apiKey)).body as unknown;
  }

  /** A second endpoint; answers its secret. */
  async function addEndpoint(port: number): Promise<string> {
    const url = `http://127.0.0.1:${port}/webhooks/revtain`;
    const answer = await app.http().post('/api/webhook-endpoints').set('x-api-key', client.apiKey).send({ url });
    expect(answer.status).toBe(201);
    return (answer.body as { secret: string }).secret;
  }

  async function startHandler(port: number, secret: string): Promise<ChildProcess> {
    const file = join(folder, 'handler.mjs');
    writeFileSync(file, (blocks('js')[0] ?? '').replace('app.listen(8080)', `app.listen(${port})`));
    const child = spawn(process.execPath, [file], {
      env: { REVTAIN_WEBHOOK_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.on('data', (chunk: Buffer) => (handled += chunk.toString()));
    await until(() => listens(port));
    return child;
  }
});

/** The fenced blocks of one language, without their fences. */
function blocks(language: string): string[] {
  const fences = [...README.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)];
  return fences.filter(([, name]) => name === language).map(([, , text = '']) => text);
}

/** The fields of a quoted webhook that are the same on every run; ids and times are not, amounts carry their currency. */
function fieldsOf(block: string): Record<string, string> {
  const lines = [...block.matchAll(/^ {3}(\w+) {2,}(.+)$/gm)].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
  const fields = Object.fromEntries(lines.filter(([name]) => !['revtainTransactionId', 'createdAt'].includes(name)));
  return { ...fields, amount: (fields['amount'] ?? '').replace(' USD (smallest unit)', '') };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`waited in vain for ${String(holds)}`);
}

function layOut(folder: string, keys: Record<string, string>): void {
  for (const name of ['.data', 'bin']) mkdirSync(join(folder, name));
  for (const [name, key] of Object.entries(keys)) writeFileSync(join(folder, '.data', name), `${key}\n`);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules')); // For the handler's express.
  // The machine that runs the tests need not have curl.
  const shim = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'test', 'support', 'curl.mjs')}" "$@"\n`;
  writeFileSync(join(folder, 'bin', 'curl'), shim);
  chmodSync(join(folder, 'bin', 'curl'), 0o755);
}
