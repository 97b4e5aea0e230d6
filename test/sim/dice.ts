import { Random } from '../../src/platform/random.js';

/** Chance that is a function of its seed alone: xoshiro128**, seeded by a hash of whatever names the stream. */
export class Dice {
  private readonly state = new Uint32Array(4);

  constructor(...names: readonly (string | number)[]) {
    let hash = 0x811c9dc5;
    for (const letter of names.join('|')) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
    for (let place = 0; place < 4; place++) {
      // SplitMix32: neighbouring seeds give streams that have nothing in common.
      hash = (hash + 0x9e3779b9) | 0;
      let mixed = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      this.state[place] = mixed ^ (mixed >>> 15);
    }
  }

  /** A number in [0, 1), of 32 bits. */
  fraction(): number {
    const { state } = this;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const product = Math.imul(b, 5);
    const drawn = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[0] = a ^ fourth;
    state[1] = b ^ third;
    state[2] = third ^ (b << 9);
    state[3] = (fourth << 11) | (fourth >>> 21);
    return drawn / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.fraction() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** Each with its weight. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.fraction() * from.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of from) {
      left -= weight;
      if (left < 0) return value;
    }
    throw new Error('no weights to pick by');
  }
}

/** The product's port of randomness, drawn from dice. */
export class DiceRandom extends Random {
  constructor(private readonly dice: Dice) {
    super();
  }

  override bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.dice.between(0, 255)));
  }

  override fraction(): number {
    return this.dice.fraction();
  }
}
