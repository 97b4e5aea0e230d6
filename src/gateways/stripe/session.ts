import type Stripe from 'stripe';

import type { Clock } from '../../platform/clock.js';
import {
  type AccountRefused,
  type CallOptions,
  connectedAccountOf,
  type GatewayAccount,
  NO_ACCESS,
  type Reading,
  type Rejected,
  type Unavailable,
} from '../gateway.js';
import { classifyError, DeadlinePassed, type Fault, type ScopeOf } from './classify.js';
import type { StripeClients } from './client.js';

/** Where a gateway's own address stands; null while it has none, as a local test gateway that is not up yet. */
export type AddressOf = () => URL | null;

/** What the sessions of one gateway share. */
export interface SessionParts {
  clients: StripeClients;
  clock: Clock;
  scopeOf: ScopeOf;
  addressOf: AddressOf;
  /** The key of our own platform account, by which connected accounts are called; null where there is none. */
  platformKey: string | null;
}

/** One operation of the port: its SDK client, and the deadline that all of its calls share. */
export interface Session {
  readonly stripe: Stripe;
  /** For a reading. @throws {DeadlinePassed} when no time is left. */
  readonly reading: () => Stripe.RequestOptions;
  /** For a call that changes something: always under a key of ours, so that a resend is the same call. */
  readonly mutation: (idempotencyKey: string) => Stripe.RequestOptions;
}

/** Opens a session that ends `timeoutMs` from now; null while the gateway has no address. */
export function openSession(parts: SessionParts, account: GatewayAccount, { timeoutMs }: CallOptions): Session | null {
  const address = parts.addressOf();
  if (!address) return null;

  const stripeAccount = connectedAccountOf(account);
  const endsAtMs = parts.clock.monotonicMs() + timeoutMs;
  const options = (): Stripe.RequestOptions => {
    const leftMs = Math.ceil(endsAtMs - parts.clock.monotonicMs());
    if (leftMs < 1) throw new DeadlinePassed(`no answer within ${String(timeoutMs)} ms in all`);
    return { timeout: leftMs, maxNetworkRetries: 0, ...(stripeAccount === null ? {} : { stripeAccount }) };
  };
  const key = stripeAccount === null ? account.secretKey : (parts.platformKey ?? NO_ACCESS);
  return {
    stripe: parts.clients.clientFor(key, address),
    reading: options,
    mutation: (idempotencyKey) => ({ ...options(), idempotencyKey }),
  };
}

/** The refusal that a call without access would meet, told without sending it; null for an account that can be called. */
export function refusalOf(
  { platformKey }: Pick<SessionParts, 'platformKey'>,
  account: GatewayAccount,
): AccountRefused | null {
  const isWithdrawn = account.secretKey === NO_ACCESS;
  if (!isWithdrawn && (connectedAccountOf(account) === null || platformKey !== null)) return null;
  const message = isWithdrawn
    ? 'the merchant has not connected its account, or has disconnected it'
    : 'the account is connected, and STRIPE_CONNECT_SECRET_KEY is not set';
  return { kind: 'account_refused', status: 401, code: 'not_connected', message, requestId: null };
}

const NO_ADDRESS: Unavailable = {
  kind: 'unavailable',
  cause: 'lost_reply',
  message: 'the gateway is not running',
  retryAfterMs: null,
};

/** Runs a reading; whatever fails becomes a value. `missing` says what a 404 means for what was asked. */
export async function read<T>(
  parts: SessionParts,
  account: GatewayAccount,
  options: CallOptions,
  ask: (session: Session) => Promise<T>,
  missing: 'not_found' | 'rejected' = 'not_found',
): Promise<Reading<T>> {
  const refused = refusalOf(parts, account);
  if (refused) return refused;
  const session = openSession(parts, account, options);
  if (!session) return NO_ADDRESS;
  try {
    return { kind: 'found', value: await withoutCallSite(() => ask(session)) };
  } catch (error) {
    const failed = failedReading(classifyError(error, parts.scopeOf));
    return failed.kind === 'rejected' && failed.status === 404 && missing === 'not_found'
      ? { kind: 'not_found' }
      : failed;
  }
}

/**
 * Begins a call without the stack that the SDK writes down at each, for an error to name its caller: with source maps that is
 * a tenth of a charge's time. What fails is told apart by its kind, never by its stack.
 */
export function withoutCallSite<T>(begin: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return begin();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function failedReading(fault: Fault): Unavailable | Rejected | AccountRefused {
  switch (fault.kind) {
    case 'lost_reply':
    case 'received_5xx':
      return { kind: 'unavailable', cause: fault.kind, message: fault.message, retryAfterMs: null };
    case 'back_off':
      return { kind: 'unavailable', cause: 'rate_limited', message: fault.message, retryAfterMs: fault.retryAfterMs };
    case 'declined':
    case 'requires_action':
      return asRejected(fault);
    case 'rejected':
      return withoutKnown(fault);
    case 'account_refused':
      return fault;
  }
}

/** No reading and no create is declined; should one be, it is a refusal like any other. */
function asRejected({ error, message }: Extract<Fault, { kind: 'declined' | 'requires_action' }>): Rejected {
  const { statusCode, code, param, requestId } = error;
  return {
    kind: 'rejected',
    status: statusCode ?? 402,
    code: code ?? null,
    param: param ?? null,
    message,
    requestId: requestId ?? null,
  };
}

function withoutKnown({ kind, status, code, param, message, requestId }: Rejected): Rejected {
  return { kind, status, code, param, message, requestId };
}
