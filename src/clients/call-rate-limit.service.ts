import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { DomainError } from '../platform/http/domain-error.js';

const WINDOW_MS = 60_000;

/** Counts calls of one kind per client and minute over all processes, in real time. For calls that are rare by nature. */
@Injectable()
export class CallRateLimit {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts one call. @param kind names what is counted, and is no key's id. @throws {DomainError} 429 `rate_limited`.
   */
  async take(clientId: string, kind: string, perMinute: number): Promise<void> {
    const nowMs = this.clock.now().getTime();
    const startMs = Math.floor(nowMs / WINDOW_MS) * WINDOW_MS;
    const [, taken] = await this.database.flight({ role: 'tenant', clientId }, [
      { ...FORGET_EARLIER, values: [clientId, kind, new Date(startMs)] },
      { ...TAKE_ONE, values: [clientId, kind, new Date(startMs), perMinute] },
    ]);
    if (taken?.rows.length === 1) return;
    throw rateLimited(perMinute, Math.max(1, Math.ceil((startMs + WINDOW_MS - nowMs) / 1_000)));
  }
}

const FORGET_EARLIER = {
  name: 'forget_call_windows',
  text: 'DELETE FROM rate_windows WHERE client_id = $1 AND key_id = $2 AND window_start < $3',
};

const TAKE_ONE = {
  name: 'take_call',
  text: `INSERT INTO rate_windows AS w (client_id, key_id, window_start, used) VALUES ($1, $2, $3, 1)
         ON CONFLICT (client_id, key_id, window_start) DO UPDATE SET used = w.used + 1 WHERE w.used < $4
         RETURNING used`,
};

function rateLimited(perMinute: number, waitSeconds: number): DomainError {
  return new DomainError({
    status: 429,
    code: 'rate_limited',
    detail: `This call may be made ${perMinute} times a minute.`,
    error: 'Rate limit exceeded',
    headers: {
      'retry-after': String(waitSeconds),
      'ratelimit-limit': String(perMinute),
      'ratelimit-remaining': '0',
      'ratelimit-reset': String(waitSeconds),
    },
    members: { retryAfter: `${waitSeconds} seconds` },
  });
}
