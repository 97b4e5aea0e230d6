import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';

import type { ClientSettings } from '../clients/client-settings.js';
import { executeBody } from '../engine/presenter.js';
import type { Recovery } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { Database } from '../platform/db/database.js';
import { conflict, DomainError } from '../platform/http/domain-error.js';
import { answerStatus, statusWord } from '../recovery/lifecycle.js';
import { encodeAnswer, type Answer } from './answer.js';

/** A command on a recovery waits for its lease before it charges: nothing else tells that it is still at work. */
const COMMAND_KEY_LEASE_SECONDS = 60;

interface KeyRow {
  fingerprint: Buffer;
  recovery_id: string | null;
  status_code: number | null;
  body: Buffer | null;
  is_leased: boolean;
}

/** Thrown where another call under the same key has accepted its recovery meanwhile: nothing of this one stands. */
export class KeyTaken extends Error {
  constructor({ id }: Pick<Recovery, 'id'>) {
    super(`${id} was not accepted: its key belongs to another recovery by now`);
  }
}

/** What a key says about a call: go ahead, or here is the answer. */
export type KeyVerdict = { kind: 'free' } | { kind: 'replay'; answer: Answer };

/**
 * One answer per key and client (openapi.yaml). An execute stores its key in the statement that accepts its recovery: what
 * is refused leaves no key, and of two calls under one key a single one accepts. A command stores its key before it does
 * anything, and forgets it when it is refused. A finished call leaves its bytes there.
 */
@Injectable()
export class Idempotency {
  constructor(
    private readonly database: Database,
    private readonly store: RecoveryStore,
  ) {}

  /**
   * What stands under a key; `free` too where a call died before it had a recovery.
   * @throws {DomainError} 409 when the key is in flight, was used for another body, or duplicates are rejected.
   */
  async look(client: ClientSettings, key: string, fingerprint: Buffer): Promise<KeyVerdict> {
    const { rows } = await this.database.query<KeyRow>(
      { role: 'tenant', clientId: client.id },
      { ...LOOK_KEY, values: [client.id, key] },
    );
    return rows[0] ? this.verdict(client, key, fingerprint, rows[0]) : { kind: 'free' };
  }

  /** Takes the key for a command. @throws {DomainError} as `look` does. */
  async begin(client: ClientSettings, key: string, fingerprint: Buffer, now: Date): Promise<KeyVerdict> {
    const { rows } = await this.database.query<KeyRow & { is_new: boolean }>(
      { role: 'tenant', clientId: client.id },
      { ...BEGIN_KEY, values: [client.id, key, fingerprint, this.store.owner, now, COMMAND_KEY_LEASE_SECONDS] },
    );
    const [row] = rows;
    if (!row || row.is_new) return { kind: 'free' };
    // The row of a call that committed a moment ago is not in this statement's snapshot: it is in flight.
    if (row.fingerprint === null) throw inFlight(null, null);
    const verdict = await this.verdict(client, key, fingerprint, row);
    if (verdict.kind === 'free' && !(await this.takeOver(client.id, key))) throw inFlight(null, null);
    return verdict;
  }

  /** The stored answer to this very body; null when there is none. @throws {DomainError} 409 when duplicates are rejected. */
  async finished(client: ClientSettings, key: string, fingerprint: Buffer): Promise<Answer | null> {
    const { rows } = await this.database.query<KeyRow>(
      { role: 'tenant', clientId: client.id },
      {
        text: `SELECT fingerprint, recovery_id, status_code, body, false AS is_leased FROM idempotency_keys
               WHERE client_id = $1 AND key = $2 AND fingerprint = $3 AND body IS NOT NULL`,
        values: [client.id, key, fingerprint],
      },
    );
    const verdict = rows[0] ? await this.seen(client, key, rows[0]) : null;
    return verdict?.kind === 'replay' ? verdict.answer : null;
  }

  /** What another call or worker has made of this one. @throws {DomainError} 409 while it is still being worked. */
  async takenOver(client: ClientSettings, key: string, fingerprint: Buffer): Promise<Answer> {
    const verdict = await this.look(client, key, fingerprint);
    if (verdict.kind === 'replay') return verdict.answer;
    throw inFlight(null, null);
  }

  /** The key of a command that was refused is free again. */
  async forget(clientId: string, key: string): Promise<void> {
    await this.database.query(
      { role: 'tenant', clientId },
      {
        name: 'forget_key',
        text: `DELETE FROM idempotency_keys WHERE client_id = $1 AND key = $2 AND body IS NULL AND recovery_id IS NULL`,
        values: [clientId, key],
      },
    );
  }

  private async verdict(client: ClientSettings, key: string, fingerprint: Buffer, row: KeyRow): Promise<KeyVerdict> {
    if (!row.fingerprint.equals(fingerprint)) throw await this.reused(client, row);
    return this.seen(client, key, row);
  }

  private async seen(client: ClientSettings, key: string, row: KeyRow): Promise<KeyVerdict> {
    const found = row.recovery_id === null ? null : await this.store.find(client.id, row.recovery_id);
    if (row.body !== null && row.status_code !== null) {
      if (client.duplicateRequests === 'reject') throw duplicate(found?.recovery ?? null);
      return { kind: 'replay', answer: { status: row.status_code, body: row.body } };
    }
    if (found) return { kind: 'replay', answer: await this.answerFromRecovery(key, found) };
    if (row.is_leased) throw inFlight(null, null);
    return { kind: 'free' };
  }

  /** The caller's process died, or the caller left: the recovery itself tells, and that becomes the stored answer. */
  private async answerFromRecovery(
    key: string,
    { recovery, isLeased }: { recovery: Recovery; isLeased: boolean },
  ): Promise<Answer> {
    const onTheWire = recovery.state === 'in_progress' && recovery.waitingSince === null;
    if (isLeased || onTheWire) throw inFlight(recovery.id, statusWord(recovery.state));
    const answer = encodeAnswer(answerStatus(recovery.state), executeBody(recovery));
    const { rows } = await this.database.query<{ status_code: number; body: Buffer }>(
      { role: 'tenant', clientId: recovery.clientId },
      {
        text: `UPDATE idempotency_keys SET status_code = coalesce(status_code, $3), body = coalesce(body, $4)
               WHERE client_id = $1 AND key = $2 RETURNING status_code, body`,
        values: [recovery.clientId, key, answer.status, answer.body],
      },
    );
    return rows[0] ? { status: rows[0].status_code, body: rows[0].body } : answer;
  }

  private async takeOver(clientId: string, key: string): Promise<boolean> {
    const { rowCount } = await this.database.query(
      { role: 'tenant', clientId },
      {
        text: `UPDATE idempotency_keys
               SET lease_owner = $3, lease_until = clock_timestamp() + $4 * interval '1 second'
               WHERE client_id = $1 AND key = $2 AND body IS NULL AND recovery_id IS NULL
                 AND lease_until < clock_timestamp()`,
        values: [clientId, key, this.store.owner, COMMAND_KEY_LEASE_SECONDS],
      },
    );
    return rowCount === 1;
  }

  private async reused(client: ClientSettings, row: KeyRow): Promise<DomainError> {
    const found = row.recovery_id === null ? null : await this.store.find(client.id, row.recovery_id);
    return existing('idempotency_key_reused', 'the key was used before, with another body', found?.recovery ?? null);
  }
}

const LOOK_KEY = {
  name: 'look_key',
  text: `SELECT fingerprint, recovery_id, status_code, body, coalesce(lease_until > clock_timestamp(), false) AS is_leased
         FROM idempotency_keys WHERE client_id = $1 AND key = $2`,
};

const BEGIN_KEY = {
  name: 'begin_key',
  text: `WITH stored AS (
           INSERT INTO idempotency_keys (client_id, key, fingerprint, lease_owner, lease_until, created_at)
           VALUES ($1, $2, $3, $4, clock_timestamp() + $6 * interval '1 second', $5)
           ON CONFLICT (client_id, key) DO NOTHING
           RETURNING true AS is_new)
         SELECT coalesce((SELECT is_new FROM stored), false) AS is_new, k.fingerprint, k.recovery_id, k.status_code,
                k.body, coalesce(k.lease_until > clock_timestamp(), false) AS is_leased
         FROM (SELECT 1) one LEFT JOIN idempotency_keys k ON k.client_id = $1 AND k.key = $2`,
};

/** The 409 body names what stands in the way (openapi.yaml). */
export function existing(code: string, message: string, recovery: Pick<Recovery, 'id' | 'state'> | null): DomainError {
  return conflict(code, message, {
    message,
    existingTransactionId: recovery?.id ?? '',
    existingStatus: recovery ? statusWord(recovery.state) : 'unknown',
  });
}

function duplicate(recovery: Recovery | null): DomainError {
  return existing('duplicate', 'the key was used before', recovery);
}

function inFlight(id: string | null, existingStatus: string | null): DomainError {
  const message = 'a call with this key is still being worked';
  return new DomainError({
    status: 409,
    code: 'idempotency_in_flight',
    detail: message,
    headers: { 'retry-after': '1' },
    members: { message, existingTransactionId: id ?? '', existingStatus: existingStatus ?? 'unknown' },
  });
}

/** SHA-256 over the call and its JSON with sorted keys: two bodies are the same when their parsed JSON is. */
export function fingerprintOf(call: string, body: object): Buffer {
  const rest = Object.entries(body).filter(([name]) => name !== 'idempotencyKey');
  return createHash('sha256')
    .update(`${call}\n${canonicalJson(Object.fromEntries(rest))}`)
    .digest();
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    const sorted = members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
