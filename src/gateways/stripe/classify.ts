import Stripe from 'stripe';

import type { Scope } from '../../recovery/facts.js';
import type { AccountRefused, Rejected } from '../gateway.js';
import { REQUIRES_ACTION_CODES } from './status-table.js';

/** The answer came whole but can not be what it should be: treated as lost, since money may have moved. */
export class UnreadableReply extends Error {
  override readonly name = 'UnreadableReply';
}

/** The deadline of the whole operation passed before this call was sent. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/** Looks up what a code speaks about: `decline_code` first, then `code`. Null for a code without a row. */
export type ScopeOf = (codes: { declineCode: string | null; errorCode: string | null }) => Scope | null;

/** What a failed call means, whichever call it was. */
export type Fault =
  | { kind: 'lost_reply'; message: string }
  | { kind: 'received_5xx'; message: string }
  | { kind: 'back_off'; retryAfterMs: number; code: string | null; keyInUse: boolean; message: string }
  | { kind: 'declined'; error: Stripe.errors.StripeError; message: string }
  | { kind: 'requires_action'; error: Stripe.errors.StripeError; message: string }
  | ({ known: boolean } & Rejected)
  | AccountRefused;

/** Waited when the gateway names no time, or none that can be read. */
const RETRY_AFTER_MS_DEFAULT = 2_000;
const RETRY_AFTER_MS_MIN = 500;
/** Longer would outlive the request; the next call is told again. */
const RETRY_AFTER_MS_MAX = 60_000;
const MESSAGE_LENGTH_MAX = 300;

/**
 * Reads an error of the SDK by HTTP status and `code`, never by its class: a 409 comes as StripeAPIError, an HTML page
 * as StripeAPIError without status, a truncated body as StripeConnectionError.
 * @see https://docs.stripe.com/error-low-level
 */
export function classifyError(error: unknown, scopeOf: ScopeOf): Fault {
  if (!(error instanceof Stripe.errors.StripeError) || error.statusCode === undefined) {
    return { kind: 'lost_reply', message: lossMessage(error) };
  }
  const status = error.statusCode;
  if (status >= 500) return { kind: 'received_5xx', message: `HTTP ${String(status)}: ${safeMessage(error.message)}` };
  if (status < 400) return { kind: 'lost_reply', message: `HTTP ${String(status)} with an error inside` };
  return readRefusal(error, status, scopeOf);
}

function readRefusal(error: Stripe.errors.StripeError, status: number, scopeOf: ScopeOf): Fault {
  const codes = { declineCode: error.decline_code || null, errorCode: error.code || null };
  const code = codes.declineCode ?? codes.errorCode;
  const scope = scopeOf(codes);
  const message = safeMessage(error.message);
  const facts = { status, code, message, requestId: error.requestId ?? null };

  if (status === 401 || status === 403 || scope === 'account') return { kind: 'account_refused', ...facts };
  if (status === 429 || scope === 'back_off') return backOff(error, code, message);
  if (REQUIRES_ACTION_CODES.has(codes.errorCode ?? '')) return { kind: 'requires_action', error, message };
  // A duplicate is the one decline behind which a payment may stand: read before it is believed.
  if (status === 402 && scope !== 'read_first') return { kind: 'declined', error, message };
  return { kind: 'rejected', known: scope !== null, param: error.param ?? null, ...facts };
}

function backOff(error: Stripe.errors.StripeError, code: string | null, message: string): Fault {
  const retryAfterMs = readRetryAfter(error.headers?.['retry-after'], error.headers?.date);
  return { kind: 'back_off', retryAfterMs, code, keyInUse: code === 'idempotency_key_in_use', message };
}

/**
 * Milliseconds to wait, from seconds or an HTTP date (measured from the answer's own `Date`, so no clock of ours is
 * involved), clamped to half a second … one minute. Anything unreadable or negative waits two seconds.
 */
export function readRetryAfter(value: string | undefined, answeredAt: string | undefined): number {
  const ms = retryAfterMs(value?.trim() ?? '', answeredAt);
  if (!Number.isFinite(ms) || ms < 0) return RETRY_AFTER_MS_DEFAULT;
  return Math.min(Math.max(ms, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX);
}

function retryAfterMs(value: string, answeredAt: string | undefined): number {
  if (/^\d{1,12}(\.\d{1,3})?$/.test(value)) return Number(value) * 1000;
  return Date.parse(value) - Date.parse(answeredAt ?? '');
}

/** Stripe's sentence, cut short, with anything that looks like a key or a card number taken out. */
export function safeMessage(message: string): string {
  return message
    .replace(/\b(?:sk|rk|pk|whsec)_\S+/g, '[key]')
    .replace(/\b\d(?:[ -]?\d){11,18}\b/g, '[number]')
    .slice(0, MESSAGE_LENGTH_MAX);
}

function lossMessage(error: unknown): string {
  if (error instanceof Stripe.errors.StripeError) {
    const detail = error.detail instanceof Error ? error.detail.message : error.message;
    return error.requestId ? `${safeMessage(detail)} (${error.requestId})` : safeMessage(detail);
  }
  // The mapping met a shape that no type foretold. Money may have moved: it is read again like any lost reply.
  return error instanceof Error ? `${error.name}: ${safeMessage(error.message)}` : 'the call failed';
}
