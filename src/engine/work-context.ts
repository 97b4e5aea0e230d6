import type { ClientSettings } from '../clients/client-settings.js';
import type { Gateway, GatewayAccount } from '../gateways/gateway.js';
import type { Recovery } from './recovery.js';
import type { StoredAnswer } from './change.js';

/** What one unit of work is done with: whose it is, what time it is there, and how long it may take. */
export interface WorkContext {
  client: ClientSettings;
  gateway: Gateway;
  account: GatewayAccount;
  /** Now, on the client's clock. */
  now(): Date;
  /** What is left of real time for gateway calls; a background worker has no bound but the call's own. */
  timeLeftMs(): number;
  /** Deadline of one gateway call, in milliseconds. */
  callTimeoutMs: number;
  /** Where a bank sends the customer back to; needed only by payments that allow redirects. */
  returnUrl: string;
  sleep(ms: number): Promise<void>;
  /** Who asked: `engine`, or `api_key:<id>`. */
  actor: string;
  /** This customer's other open recoveries, where the caller has counted them already. */
  openOthers?: number;
  /** The answer to store with the last write, for a call that carries an idempotency key. */
  answer(recovery: Recovery): StoredAnswer | null;
}

/** A charge needs this much of the request's time; with less, it is queued and due at once (docs/behaviour.md 2). */
export const CHARGE_TIME_MIN_MS = 10_000;

/** Between readings that the gateway does not answer (docs/behaviour.md 2). */
const REREAD_DELAYS_MS = [10_000, 60_000, 300_000, 3_600_000, 21_600_000, 86_400_000];

/** When to read again after `failed` readings in a row went unanswered. */
export function rereadAt(now: Date, failed: number): Date {
  const delay = REREAD_DELAYS_MS[Math.min(failed, REREAD_DELAYS_MS.length - 1)] as number;
  return new Date(now.getTime() + delay);
}

export function afterMs(instant: Date, delayMs: number): Date {
  return new Date(instant.getTime() + delayMs);
}
