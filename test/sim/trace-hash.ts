import { createHash } from 'node:crypto';

/** One number for all that happened, in its order: the same seed gives the same one. */
export class TraceHash {
  private readonly hash = createHash('sha256');
  private waiting = '';

  add(...facts: readonly (string | number)[]): void {
    this.waiting += `${facts.join('|')}\n`;
    if (this.waiting.length > 16_384) this.flush();
  }

  digest(): string {
    this.flush();
    return this.hash.digest('hex');
  }

  private flush(): void {
    this.hash.update(this.waiting);
    this.waiting = '';
  }
}
