import type { DedupeStore } from './once.js';
import { systemNow } from './system-clock.js';

export interface MemoryStoreOptions {
  /** How many handled events are remembered; the oldest go first. Default 10,000. */
  idsMax?: number | undefined;
  now?: (() => Date) | undefined;
}

type Entry = { kind: 'claimed'; token: string; until: number } | { kind: 'done' };

const IDS_MAX = 10_000;

/** Remembers in this process only: for one process, for trying, and for tests. A restart forgets. */
export function memoryStore({ idsMax = IDS_MAX, now = systemNow }: MemoryStoreOptions = {}): DedupeStore {
  const entries = new Map<string, Entry>();

  function forgetOldest(): void {
    let excess = entries.size - idsMax;
    for (const [id, { kind }] of entries) {
      if (excess <= 0) return;
      if (kind === 'claimed') continue; // It is being worked: forgotten, it would be worked twice.
      entries.delete(id);
      excess -= 1;
    }
  }

  return {
    claim(eventId, token, leaseMs) {
      const entry = entries.get(eventId);
      if (entry?.kind === 'done') return Promise.resolve('done');
      const at = now().getTime();
      if (entry && entry.until > at) return Promise.resolve('in_progress');
      entries.set(eventId, { kind: 'claimed', token, until: at + leaseMs });
      return Promise.resolve('claimed');
    },
    complete(eventId) {
      entries.delete(eventId); // So that it is the newest again.
      entries.set(eventId, { kind: 'done' });
      forgetOldest();
      return Promise.resolve();
    },
    release(eventId, token) {
      const entry = entries.get(eventId);
      if (entry?.kind === 'claimed' && entry.token === token) entries.delete(eventId);
      return Promise.resolve();
    },
  };
}
