import { readFileSync } from 'node:fs';

import { request } from 'undici';

import { hasCode } from '../src/platform/error-facts.js';

export const API = 'http://127.0.0.1:3000';
export const KEY_FILE = '.data/admin.key';

/** It could not be asked: in one line, with what to do about it. */
export class NotAsked extends Error {}

/** A running Revtain, as its operator calls it. */
export class OperatorApi {
  private readonly url: string;
  private readonly adminKey: string;

  /** Without a key, the one that the embedded database's folder keeps. @throws {NotAsked} when there is none. */
  constructor(url = API, adminKey?: string) {
    this.url = url.replace(/\/$/, '');
    this.adminKey = adminKey ?? keptKey();
  }

  /** @throws {NotAsked} for every answer but 200. */
  async get<T>(path: string): Promise<T> {
    const found = await this.find<T>(path);
    if (found === null) throw new NotAsked(`${this.url} knows no ${path}: is it an older version?`);
    return found;
  }

  /** As `get`, but null for 404. */
  async find<T>(path: string): Promise<T | null> {
    const headers = { 'x-admin-key': this.adminKey };
    const answer = await request(`${this.url}${path}`, { headers, headersTimeout: 0 }).catch((error: unknown) => {
      throw new NotAsked(
        `${this.url} does not answer (${error instanceof Error ? error.message : 'unknown'}); give --api`,
      );
    });
    const body = await answer.body.text();
    if (answer.statusCode === 404) return null;
    if (answer.statusCode === 401) throw new NotAsked('the admin key is refused; give --admin-key');
    if (answer.statusCode !== 200)
      throw new NotAsked(`${this.url} answered ${answer.statusCode}: ${body.slice(0, 200)}`);
    return JSON.parse(body) as T;
  }
}

function keptKey(): string {
  try {
    return readFileSync(KEY_FILE, 'utf8').trim();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new NotAsked(`there is no ${KEY_FILE} here; give --admin-key`);
  }
}

/** Runs a command that asks: its exit code is what it answers, or 2, with one line of why, where it could not ask. */
export async function askAndExit(command: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    if (!(error instanceof NotAsked) && !isMistyped(error)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

/** An option that `parseArgs` does not know, or one without its value. */
function isMistyped(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
