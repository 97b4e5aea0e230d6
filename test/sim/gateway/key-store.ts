/** Stripe keeps a key for 24 hours at least, and may forget it from then on. */
const KEY_LIFE_MS = 24 * 3_600_000;

interface Kept<T> {
  fingerprint: string;
  firstMs: number;
  /** Undefined while the first request under the key still runs. */
  reply: T | undefined;
}

export type KeySaid<T> = { kind: 'new' } | { kind: 'running' } | { kind: 'mismatch' } | { kind: 'replay'; reply: T };

/** The gateway's memory of idempotency keys: the first reply is the only one, and it is forgotten after a day. */
export class KeyStore<T> {
  private readonly kept = new Map<string, Kept<T>>();

  /** @param fingerprint the request's parameters: another one under the same key is refused. */
  begin(key: string, fingerprint: string, nowMs: number): KeySaid<T> {
    const known = this.kept.get(key);
    if (known && nowMs - known.firstMs <= KEY_LIFE_MS) {
      if (known.fingerprint !== fingerprint) return { kind: 'mismatch' };
      return known.reply === undefined ? { kind: 'running' } : { kind: 'replay', reply: known.reply };
    }
    this.kept.set(key, { fingerprint, firstMs: nowMs, reply: undefined });
    return { kind: 'new' };
  }

  end(key: string, reply: T): void {
    const known = this.kept.get(key);
    if (known) known.reply = reply;
  }
}
