import type { KeyRow, Row } from './rows.js';
import type { Tables } from './tables.js';

type Values = readonly unknown[];

function keyOf(tables: Tables, clientId: unknown, key: unknown): KeyRow | undefined {
  return tables.keys.get(`${clientId as string}:${key as string}`);
}

function after(tables: Tables, seconds: unknown): Date {
  return new Date(tables.clockMs() + (seconds as number) * 1_000);
}

/** `begin_key`: what is read is the row as it was before this statement, so that a new one reads as nothing. */
export function begin(tables: Tables, [clientId, key, fingerprint, owner, now, seconds]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (found) {
    const { recovery_id, status_code, body } = found;
    const is_leased = found.lease_until !== null && found.lease_until.getTime() > tables.clockMs();
    return [{ is_new: false, fingerprint: found.fingerprint, recovery_id, status_code, body, is_leased }];
  }
  tables.keys.insert({
    client_id: clientId as string,
    key: key as string,
    fingerprint: fingerprint as Buffer,
    recovery_id: null,
    status_code: null,
    body: null,
    lease_owner: owner as string,
    lease_until: after(tables, seconds),
    created_at: now,
  });
  return [{ is_new: true, fingerprint: null, recovery_id: null, status_code: null, body: null, is_leased: false }];
}

export function finished(tables: Tables, [clientId, key, fingerprint]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (!found || found.body === null || !found.fingerprint.equals(fingerprint as Buffer)) return [];
  return [{ ...found, is_leased: false }];
}

export function forget(tables: Tables, [clientId, key]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  if (found && found.body === null && found.recovery_id === null) tables.keys.delete(found);
  return [];
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

export function takeOver(tables: Tables, [clientId, key, owner, seconds]: Values): Row[] {
  const found = keyOf(tables, clientId, key);
  const isFree = found?.lease_until != null && found.lease_until.getTime() < tables.clockMs();
  if (!found || !isFree || found.body !== null || found.recovery_id !== null) return [];
  tables.keys.replace({ ...found, lease_owner: owner as string, lease_until: after(tables, seconds) });
  return [{}];
}
