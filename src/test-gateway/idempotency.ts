import { createHash } from 'node:crypto';

import type { QueryConfig } from 'pg';

import { canonicalForm, type FormParts } from './form-body.js';
import type { Reply } from './reply.js';
import { StripeRefusal } from './stripe-refusal.js';

/** Stripe keeps keys for at least 24 hours; this gateway for exactly that, on the account's clock. */
const KEPT_MS = 86_400_000;

const KEY_LENGTH_MAX = 255;

/** A key as it was first used. */
export interface KeptAnswer {
  path: string;
  fingerprint: Buffer;
  status: number;
  body: string;
  request_id: string;
  stored_at: Date;
}

/** One request's use of a key. */
export interface KeyUse {
  key: string;
  path: string;
  fingerprint: Buffer;
}

export function keyUse(key: string, path: string, form: FormParts): KeyUse {
  if (key.length > KEY_LENGTH_MAX) {
    throw new StripeRefusal(400, {
      type: 'invalid_request_error',
      message: `Idempotency keys may have at most ${KEY_LENGTH_MAX} characters.`,
    });
  }
  return { key, path, fingerprint: createHash('sha256').update(canonicalForm(form)).digest() };
}

/** Whether an answer is still remembered at `now` of the account's clock. */
export function isAlive(kept: KeptAnswer, now: Date): boolean {
  return now.getTime() - kept.stored_at.getTime() < KEPT_MS;
}

/** @throws {StripeRefusal} 400 `idempotency_error` when the key was first used for something else. */
export function refuseOtherUse(kept: KeptAnswer, use: KeyUse): void {
  if (kept.path !== use.path) {
    throw misuse(
      `Keys for idempotent requests can only be used for the same endpoint they were first used for ('${use.path}' vs ` +
        `'${kept.path}'). Try using a key other than '${use.key}' if you meant to execute a different request.`,
    );
  }
  if (!kept.fingerprint.equals(use.fingerprint)) {
    throw misuse(
      'Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a ' +
        `key other than '${use.key}' if you meant to execute a different request.`,
    );
  }
}

function misuse(message: string): StripeRefusal {
  return new StripeRefusal(400, { type: 'idempotency_error', message });
}

/** 409: another request with this key is being carried out right now. */
export function keyInUse(key: string): StripeRefusal {
  return new StripeRefusal(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: `There is currently another in-progress request using this Idempotent Key: ${key}`,
  });
}

/** The statement that keeps an answer; it takes the place of one that has expired. */
export function keepAnswer(accountId: string, use: KeyUse, reply: Reply, requestId: string, now: Date): QueryConfig {
  return {
    name: 'test_gateway_keep',
    text: `INSERT INTO test_gateway.idempotency (account_id, key, path, fingerprint, status, body, request_id, stored_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      ON CONFLICT (account_id, key) DO UPDATE SET path = excluded.path, fingerprint = excluded.fingerprint,
        status = excluded.status, body = excluded.body, request_id = excluded.request_id, stored_at = excluded.stored_at`,
    values: [accountId, use.key, use.path, use.fingerprint, reply.status, JSON.stringify(reply.body), requestId, now],
  };
}
