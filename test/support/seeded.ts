import { createHash } from 'node:crypto';

/** Draws that come again with the seed; one for each purpose, so that a slow part does not change what another draws. */
export class Seeded {
  private drawn = 0;

  constructor(
    private readonly seed: number,
    private readonly purpose: string,
  ) {}

  /** From 0 to below 1. */
  fraction(): number {
    const hash = createHash('sha256').update(`${this.seed} ${this.purpose} ${++this.drawn}`);
    return hash.digest().readUInt32BE() / 0x1_0000_0000;
  }

  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}
