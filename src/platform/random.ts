import { randomBytes } from 'node:crypto';

/** The only source of randomness. Tests replace it by a seeded one. */
export abstract class Random {
  /** `count` random bytes; fit for keys and secrets where the source is the system's. */
  abstract bytes(count: number): Buffer;

  /** A number in [0, 1): 0 can come, 1 never does. */
  abstract fraction(): number;
}

// 48 bits are the most that readUIntBE reads, and fit exactly into a double.
const FRACTION_BYTES = 6;
/** An id takes 16 fractions, and each call of the system costs far more than its bytes. */
const FRACTIONS_AT_ONCE = 256;

/** The operating system's cryptographic randomness. */
export class SystemRandom extends Random {
  private ahead = Buffer.alloc(0);
  private used = 0;

  override bytes(count: number): Buffer {
    return randomBytes(count);
  }

  override fraction(): number {
    if (this.used === this.ahead.length) {
      this.ahead = randomBytes(FRACTION_BYTES * FRACTIONS_AT_ONCE);
      this.used = 0;
    }
    const fraction = this.ahead.readUIntBE(this.used, FRACTION_BYTES) / 2 ** (8 * FRACTION_BYTES);
    this.used += FRACTION_BYTES;
    return fraction;
  }
}
