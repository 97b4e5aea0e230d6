import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { DomainError } from '../platform/http/domain-error.js';
import type { Caller } from './caller.js';

const WINDOW_MS = 60_000;
/** Up to this limit each execute is counted in the table; above, a hundredth of the limit is taken at once. */
const COUNTED_SINGLY_MAX = 600;
const KEYS_MAX = 10_000;

/** How many of the executes asked for may run, and what to tell about it. */
export interface Allowance {
  granted: number;
  /** `RateLimit-*`, for every answer of execute. */
  headers: Record<string, string>;
  /** The answer for those that may not run; null when all may. */
  refusal: DomainError | null;
}

/** What this process knows of a key's current minute. */
interface Window {
  startMs: number;
  limit: number;
  /** Taken from the table and not yet used. */
  inHand: number;
  /** All that was taken by all processes, as last seen. */
  used: number;
  /** A chunk that is on its way: whoever finds nothing in hand meanwhile waits for it, instead of taking one more. */
  taking: Promise<void> | null;
}

/**
 * Counts executes per key and minute (`executesPerMinute`) over all processes, in real time: the table holds what was
 * taken, and no process gives out what it did not take. A chunk left in hand when the minute ends is lost with it.
 */
@Injectable()
export class ExecuteRateLimit {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Takes up to `count` executes for the caller's key. */
  async take(caller: Caller, count = 1): Promise<Allowance> {
    const nowMs = this.clock.now().getTime();
    const window = await this.currentWindow(caller, nowMs);
    while (count > window.inHand && window.used < window.limit) await this.takeMore(caller, window, count);

    const granted = Math.min(count, window.inHand);
    window.inHand -= granted;
    const secondsLeft = Math.max(1, Math.ceil((window.startMs + WINDOW_MS - nowMs) / 1_000));
    const refusal = granted < count ? rateLimited(window.limit, secondsLeft) : null;
    return { granted, headers: headersOf(window, secondsLeft), refusal };
  }

  private async currentWindow({ clientId, keyId, settings }: Caller, nowMs: number): Promise<Window> {
    const startMs = Math.floor(nowMs / WINDOW_MS) * WINDOW_MS;
    const limit = settings.executesPerMinute;
    const known = this.windows.get(keyId);
    if (known?.startMs === startMs && known.limit === limit) return known;

    const window = { startMs, limit, inHand: 0, used: 0, taking: null };
    if (this.windows.size >= KEYS_MAX) this.windows.clear();
    this.windows.set(keyId, window);
    const scope = { role: 'tenant', clientId } as const;
    await this.database.query(scope, { ...FORGET_EARLIER, values: [clientId, keyId, new Date(startMs)] });
    return window;
  }

  private takeMore(caller: Caller, window: Window, count: number): Promise<void> {
    const take = () => this.takeChunk(caller, window, count - window.inHand);
    if (window.limit <= COUNTED_SINGLY_MAX) return take();
    window.taking ??= take().finally(() => (window.taking = null));
    return window.taking;
  }

  private async takeChunk({ clientId, keyId }: Caller, window: Window, missing: number): Promise<void> {
    const { startMs, limit } = window;
    const chunk = limit <= COUNTED_SINGLY_MAX ? missing : Math.max(missing, Math.floor(limit / 100));
    const scope = { role: 'tenant', clientId } as const;
    const values = [clientId, keyId, new Date(startMs), chunk, limit];
    const { rows } = await this.database.query<{ used: number }>(scope, { ...TAKE_CHUNK, values });
    const used = rows[0]?.used;
    if (used === undefined) {
      window.used = limit;
      return;
    }
    window.inHand += chunk - Math.max(0, used - limit);
    window.used = Math.max(window.used, used);
  }
}

// The last chunk may reach past the limit; what lies past it is not given out.
const TAKE_CHUNK = {
  name: 'take_executes',
  text: `INSERT INTO rate_windows AS w (client_id, key_id, window_start, used) VALUES ($1, $2, $3, $4)
         ON CONFLICT (client_id, key_id, window_start) DO UPDATE SET used = w.used + $4 WHERE w.used < $5
         RETURNING used`,
};

const FORGET_EARLIER = {
  name: 'forget_rate_windows',
  text: `DELETE FROM rate_windows WHERE client_id = $1 AND key_id = $2 AND window_start < $3`,
};

/** @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (the three-field form) */
function headersOf({ limit, used, inHand }: Window, secondsLeft: number): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(Math.max(0, limit - Math.min(used, limit) + inHand)),
    'ratelimit-reset': String(secondsLeft),
  };
}

function rateLimited(limit: number, secondsLeft: number): DomainError {
  return new DomainError({
    status: 429,
    code: 'rate_limited',
    detail: `This key may send ${limit} executes a minute.`,
    error: 'Rate limit exceeded',
    headers: { 'retry-after': String(secondsLeft) },
    members: { retryAfter: `${secondsLeft} seconds` },
  });
}
