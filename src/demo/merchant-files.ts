import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { hasCode } from '../platform/error-facts.js';
import type { Random } from '../platform/random.js';

/** The demo merchant, as it is kept between starts: all of it was shown once only. */
export interface DemoMerchant {
  clientId: string;
  apiKey: string;
  endpointId: string;
  webhookSecret: string;
}

const NAMES = ['clientId', 'apiKey', 'endpointId', 'webhookSecret'] as const;

/** The file that holds the API key alone, for `KEY=$(cat …)`. */
export function keyFileOf(dataDir: string): string {
  return join(dataDir, 'demo.key');
}

function merchantFileOf(dataDir: string): string {
  return join(dataDir, 'demo-merchant.json');
}

/** The merchant of an earlier start, or null. A file that is damaged counts as none: a new merchant is soon made. */
export function readMerchant(dataDir: string): DemoMerchant | null {
  const text = readIfThere(merchantFileOf(dataDir));
  const kept: unknown = text === null ? null : parseOrNull(text);
  return isMerchant(kept) ? kept : null;
}

/** Keeps the merchant for later starts. Both files are 0600 from their first byte and appear whole. */
export function writeMerchant(dataDir: string, merchant: DemoMerchant, random: Random): void {
  place(merchantFileOf(dataDir), `${JSON.stringify(merchant, null, 2)}\n`, random);
  place(keyFileOf(dataDir), `${merchant.apiKey}\n`, random);
}

function place(path: string, text: string, random: Random): void {
  const draft = `${path}.${random.bytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isMerchant(kept: unknown): kept is DemoMerchant {
  if (typeof kept !== 'object' || kept === null) return false;
  const fields = kept as Record<string, unknown>;
  return NAMES.every((name) => typeof fields[name] === 'string');
}
