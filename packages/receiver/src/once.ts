import { randomUUID } from 'node:crypto';

/** Remembers which events were handled. */
export interface DedupeStore {
  /** Takes an event to work, for so long, unless it was handled or somebody has it. One of many at once gets `claimed`. */
  claim(eventId: string, token: string, leaseMs: number): Promise<'claimed' | 'in_progress' | 'done'>;
  /** It was handled: for good, whoever claimed it. */
  complete(eventId: string): Promise<void>;
  /** It was not handled: gives the claim of this token back, so that the next delivery is worked. */
  release(eventId: string, token: string): Promise<void>;
}

export type Once<Result> = { kind: 'handled'; result: Result } | { kind: 'duplicate' } | { kind: 'in_progress' };

export interface OnceOptions {
  /** How long a claim holds when its process dies. Longer than any handler takes; default 300,000 (five minutes). */
  leaseMs?: number | undefined;
}

const LEASE_MS = 300_000;

/**
 * Works an event unless it was worked before. When the work fails, its claim is released, and the error thrown on.
 * @throws what the work throws; an AggregateError when the release fails as well (the claim then ends with its lease).
 */
export async function once<Result>(
  store: DedupeStore,
  eventId: string,
  work: () => Result | Promise<Result>,
  { leaseMs = LEASE_MS }: OnceOptions = {},
): Promise<Once<Result>> {
  const token = randomUUID();
  const claim = await store.claim(eventId, token, leaseMs);
  if (claim === 'done') return { kind: 'duplicate' };
  if (claim === 'in_progress') return { kind: 'in_progress' };

  const result = await workOrRelease(store, eventId, token, work);
  await store.complete(eventId);
  return { kind: 'handled', result };
}

async function workOrRelease<Result>(
  store: DedupeStore,
  eventId: string,
  token: string,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    try {
      await store.release(eventId, token);
    } catch (releaseError) {
      throw new AggregateError([error, releaseError], `the handler of ${eventId} failed, and so did releasing it`, {
        cause: releaseError,
      });
    }
    throw error;
  }
}
