import type { Recovery } from './recovery.js';

/** More than a process works at once. One that is forgotten is written whole the next time: slower, and as right. */
const REMEMBERED_MAX = 4_096;

/**
 * Recoveries that this process holds, as the database has them, so that a write sends only what it changes: of a row's 3 kB
 * most is never changed. Under one lease nobody else writes these columns; each row is known by its lease's token. What a
 * write has left behind is known only when it was answered, so it is taken out before and put back after.
 */
export class HeldRows {
  private readonly rows = new Map<string, Recovery>();

  /** Null where it is not known for sure what is stored. */
  take(recovery: Recovery): Recovery | null {
    const key = keyOf(recovery);
    const row = this.rows.get(key) ?? null;
    this.rows.delete(key);
    return row;
  }

  /** Of what the database has answered that it stands. */
  put(recovery: Recovery): void {
    if (recovery.leaseOwner === null) return;
    const [oldest] = this.rows.keys();
    if (oldest !== undefined && this.rows.size >= REMEMBERED_MAX) this.rows.delete(oldest);
    this.rows.set(keyOf(recovery), recovery);
  }
}

function keyOf({ clientId, id, leaseToken }: Recovery): string {
  return `${clientId}:${id}:${leaseToken}`;
}
