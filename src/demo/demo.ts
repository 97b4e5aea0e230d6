import { join } from 'node:path';

import { Clock, SystemClock } from '../platform/clock.js';
import { type Config, ConfigError } from '../platform/config.js';
import { Random, SystemRandom } from '../platform/random.js';
import { bannerText } from './banner.js';
import { type DemoMerchant, keyFileOf, readMerchant, writeMerchant } from './merchant-files.js';
import { createMerchant, type MerchantSetting, reuseMerchant } from './merchant.js';
import { DemoReceiver } from './receiver.js';
import { expectAnswer, ServiceApi } from './service-api.js';
import type { WebhookBody } from './webhook-text.js';

/** What the demo needs of the service that runs. */
export interface DemoSetting {
  /** Where the service listens. */
  url: string;
  config: Config;
  /** The banner and the webhooks go here; stdout unless given. */
  print?: (text: string) => void;
  clock?: Clock;
  random?: Random;
}

export interface RunningDemo {
  /** Closes the receiver. Stop the service first: its last webhooks still want an answer. */
  stop(): Promise<void>;
}

/**
 * Starts the demo beside a service on its embedded database: a merchant, found again or made, a receiver that verifies
 * and prints its webhooks, and a banner that says what to try. It uses the service's HTTP API and nothing else of it.
 * @throws {ConfigError} when the receiver's port is in use, or there is no data folder to keep the merchant in.
 */
export async function startDemo({ url, config, ...parts }: DemoSetting): Promise<RunningDemo> {
  const { print = toStdout, clock = new SystemClock(), random = new SystemRandom() } = parts;
  const { dataDir, adminKey } = keptBy(config);
  const receiver = await DemoReceiver.listen({ port: config.demoReceiverPort, clock, print });
  try {
    const api = new ServiceApi(url);
    const merchant = await findOrCreate(dataDir, { api, adminKey, webhookUrl: receiver.url }, random);
    receiver.trust(merchant.webhookSecret);
    const test = await ping(api, merchant, receiver);
    const files = { keyFile: keyFileOf(dataDir), adminKeyFile: join(dataDir, 'admin.key') };
    const facts = { url, apiKey: merchant.apiKey, webhookUrl: receiver.url, ...files };
    print(bannerText({ ...facts, clientNow: clientNow(test, clock), run: random.bytes(2).toString('hex') }));
  } catch (error) {
    await receiver.stop();
    throw error;
  }
  return { stop: () => receiver.stop() };
}

function toStdout(text: string): void {
  process.stdout.write(`${text}\n`);
}

function keptBy({ database, adminKey }: Config): { dataDir: string; adminKey: string } {
  if (database.kind === 'embedded' && adminKey !== null) return { dataDir: database.dataDir, adminKey };
  throw new ConfigError('REVTAIN_DEMO', 'is on with DATABASE_URL, and needs the embedded database');
}

async function findOrCreate(dataDir: string, setting: MerchantSetting, random: Random): Promise<DemoMerchant> {
  const kept = readMerchant(dataDir);
  const merchant = (kept && (await reuseMerchant(kept, setting))) ?? (await createMerchant(setting));
  writeMerchant(dataDir, merchant, random);
  return merchant;
}

/** Proves the way to the receiver, signature included, before anybody is told that it works. */
async function ping(api: ServiceApi, merchant: DemoMerchant, receiver: DemoReceiver): Promise<WebhookBody> {
  const test = receiver.nextTest();
  const path = `/api/webhook-endpoints/${merchant.endpointId}/ping`;
  const answer = expectAnswer(await api.call('POST', path, { apiKey: merchant.apiKey }), 200, `POST ${path}`);
  if (answer['delivered'] !== true)
    throw new Error(`the demo receiver did not take its test: ${String(answer['error'])}`);
  return test;
}

/** Events are dated by the merchant's clock; it is never behind real time. */
function clientNow(test: WebhookBody, clock: Clock): Date {
  const told = new Date(String(test['createdAt']));
  const now = clock.now();
  return told > now ? told : now;
}
