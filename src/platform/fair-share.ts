/** How many places each client may still take: those that hold some by name, all others the same number. */
export interface Allowances {
  clientIds: string[];
  allowed: number[];
  others: number;
}

/**
 * So many places, shared by whoever comes: nobody takes more than half of what the others leave. One alone has half of all;
 * a second one has half of the rest, however long the first one holds its own; so that there is always a place for the next.
 */
export class FairShare {
  private readonly held = new Map<string, number>();
  private taken = 0;

  constructor(private readonly total: number) {}

  get free(): number {
    return this.total - this.taken;
  }

  /** How many more places this one may take. */
  allowed(name: string): number {
    const own = this.held.get(name) ?? 0;
    return Math.min(this.free, Math.max(0, Math.ceil((this.free + own) / 2) - own));
  }

  allowances(): Allowances {
    const clientIds = [...this.held.keys()];
    return { clientIds, allowed: clientIds.map((each) => this.allowed(each)), others: Math.ceil(this.free / 2) };
  }

  /** Whether somebody has all that it may take: it may have more to do than that. */
  isAnyFull(): boolean {
    for (const name of this.held.keys()) if (this.allowed(name) === 0) return true;
    return false;
  }

  take(name: string): void {
    this.taken += 1;
    this.held.set(name, (this.held.get(name) ?? 0) + 1);
  }

  giveBack(name: string): void {
    const own = this.held.get(name);
    if (own === undefined) throw new Error(`${name} holds no place`);
    this.taken -= 1;
    if (own === 1) this.held.delete(name);
    else this.held.set(name, own - 1);
  }
}
