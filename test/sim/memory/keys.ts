import type { KeyRow, Row } from './rows.js';
import type { Tables } from './tables.js';

type Values = readonly unknown[];

function keyOf(tables: Tables, clientId: unknown, key: unknown): KeyRow | undefined {
  return tables.keys.get(`${clientId as string}:${key as string}`);
}

/** `look_key`: what stands under a key. */
export function look(tables: Tables, [clientId, key]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (!found) return [];
  return [{ ...found, is_leased: found.lease_until !== null && found.lease_until.getTime() > tables.clockMs() }];
}

export function finished(tables: Tables, [clientId, key, fingerprint]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (!found || found.body === null || !found.fingerprint.equals(fingerprint as Buffer)) return [];
  return [{ ...found, is_leased: false }];
}

/** Stores the answer that a recovery gives for its call, unless one is stored by now. */
export function answerLater(tables: Tables, [clientId, key, status, body]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (!found) return [];
  const status_code = found.status_code ?? (status as number);
  const answered = { ...found, status_code, body: found.body ?? (body as Buffer) };
  tables.keys.replace(answered);
  return [{ status_code, body: answered.body }];
}
