import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { STRIPE_EVENTS } from '../../src/connectors/stripe-billing/event-table.js';
import type { Merchant } from '../support/merchant.js';
import type { TestAccount } from '../support/own-test-gateway.js';
import { platformStripe, type PlatformStripe } from '../support/stripe-platform.js';
import { World } from '../support/story.js';

const ROOT = join(import.meta.dirname, '..', '..');

let stripe: PlatformStripe;
let world: World;
let merchant: Merchant;
let account: TestAccount;
let folder: string;
let keyFile: string;

beforeAll(async () => {
  stripe = await platformStripe();
  world = await World.start({ settings: stripe.settings });
  merchant = await world.merchant({ gateway: { provider: 'stripe' } });
  account = await stripe.own.newAccount();
  folder = mkdtempSync(join(tmpdir(), 'stripe-setup-'));
  keyFile = join(folder, 'key.txt');
  writeFileSync(keyFile, `${account.secretKey}\n`);
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await world.stop();
  await stripe.own.stop();
});

interface Ended {
  code: number;
  out: string;
}

function run(...args: string[]): Promise<Ended> {
  const command = ['--import', './scripts/typescript.mjs', 'scripts/stripe-setup.ts', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT, env: { PATH: process.env['PATH'] } }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: stdout + stderr });
    });
  });
}

const setUp = (...more: string[]) =>
  run(
    ...['--stripe-key-file', keyFile, '--api', world.app.url, '--api-key', merchant.account.apiKey],
    ...['--stripe-api', stripe.own.gateway.url, ...more],
  );
const endpoints = async () => (await account.stripe.webhookEndpoints.list({ limit: 100 })).data;
const health = async () => (await merchant.api.get('/api/connectors/stripe')).body;

it('says what it does, and what a restricted key needs', async () => {
  const { code, out } = await run('--help');
  expect(code).toBe(0);
  for (const word of ['--dry-run', '--stripe-key-file', 'Invoices', 'Webhook Endpoints']) expect(out).toContain(word);
  expect((await run('--permissions')).out).toContain('Checkout Sessions');
});

it('refuses what it can not do, in one line and without the key', async () => {
  expect(await run('--api-key', 'rev_x')).toMatchObject({ code: 1, out: expect.stringContaining('--stripe-key-file') });
  const wrong = join(folder, 'wrong.txt');
  writeFileSync(wrong, 'sk_test_nobody');
  const refused = await setUp('--stripe-key-file', wrong);
  expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('does not know this key') });
  expect(refused.out).not.toContain('sk_test_nobody');
});

it('on a dry run changes nothing', async () => {
  const { code, out } = await setUp('--dry-run');
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('would register') });
  expect(await endpoints()).toEqual([]);
  expect(await health()).toMatchObject({ access: 'none', webhook: { secretIsSet: false } });
});

it('checks the key, registers the exact events, and stores key and secret; a second run changes nothing', async () => {
  const first = await setUp();
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining('stored:') });
  expect(first.out).not.toContain(account.secretKey);
  const [made] = await endpoints();
  expect(made?.enabled_events).toEqual([...STRIPE_EVENTS]);
  expect(await health()).toMatchObject({ access: 'key', webhook: { secretIsSet: true, url: made?.url } });
  expect(await merchant.execute()).toMatchObject({ status: 200 });

  const second = await setUp();
  expect(second).toMatchObject({ code: 0, out: expect.stringContaining('is registered already') });
  expect((await endpoints()).map(({ id }) => id)).toEqual([made?.id]);
});

it('brings an endpoint with other events to today’s, and makes a new one when asked', async () => {
  const [before] = await endpoints();
  await account.stripe.webhookEndpoints.update(before?.id ?? '', { enabled_events: ['invoice.paid'] });
  expect(await setUp()).toMatchObject({ code: 0 });
  expect((await endpoints())[0]).toMatchObject({ id: before?.id, enabled_events: [...STRIPE_EVENTS] });
  expect(await setUp('--renew')).toMatchObject({ code: 0 });
  const after = await endpoints();
  expect(after.length).toBe(1);
  expect(after[0]?.id).not.toBe(before?.id);
});
