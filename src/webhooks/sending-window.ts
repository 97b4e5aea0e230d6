/** How many requests may be on the wire. */
export const IN_FLIGHT_MAX = 64;
const IN_FLIGHT_PER_ENDPOINT = 8;
// One that does not answer is probed by a few: each such try takes a place for ten seconds.
const IN_FLIGHT_WHILE_SILENT = 2;

// Claimed ahead of sending is what an endpoint is expected to take within this time, so that no lease runs out in line.
const AHEAD_MS = 1_000;
const AHEAD_MAX = 120;
const CLAIMED_MAX = 256;

interface Served<Item> {
  queue: Item[];
  inFlight: number;
  /** A moving average of how long its tries take; null before the first. */
  tryMs: number | null;
  silent: boolean;
  /** The last claim gave it all that it had room for: there may be more. */
  full: boolean;
}

/**
 * Who may send next: at most 64 requests at once, at most 8 to one endpoint, each endpoint in the order its deliveries
 * were claimed, and endpoints in turn, so that a slow one holds up nobody else. Pure bookkeeping.
 */
export class SendingWindow<Item extends { endpoint: { id: string } }> {
  private readonly served = new Map<string, Served<Item>>();
  private inFlight = 0;
  private queued = 0;

  /** How many deliveries the next claim may bring. */
  limits(): { perEndpoint: number; rooms: Map<string, number>; inAll: number } {
    const rooms = new Map<string, number>();
    for (const [id, each] of this.served)
      rooms.set(id, Math.max(0, claimable(each) - each.queue.length - each.inFlight));
    return { perEndpoint: IN_FLIGHT_PER_ENDPOINT, rooms, inAll: CLAIMED_MAX - this.queued - this.inFlight };
  }

  /** Takes what a claim under these limits has brought. */
  add(items: readonly Item[], limits: { perEndpoint: number; rooms: ReadonlyMap<string, number> }): void {
    const counts = new Map<string, number>();
    for (const item of items) {
      const { id } = item.endpoint;
      counts.set(id, (counts.get(id) ?? 0) + 1);
      this.entry(id).queue.push(item);
    }
    this.queued += items.length;
    for (const [id, each] of this.served) {
      each.full = (counts.get(id) ?? 0) >= (limits.rooms.get(id) ?? limits.perEndpoint);
    }
  }

  /** The next delivery to send; null when all that may be is on the wire. */
  next(): Item | null {
    if (this.inFlight >= IN_FLIGHT_MAX) return null;
    for (const [id, each] of this.served) {
      if (each.inFlight >= inFlightMax(each)) continue;
      const item = each.queue.shift();
      if (!item) continue;
      each.inFlight += 1;
      this.inFlight += 1;
      this.queued -= 1;
      // To the end of the round: the others come first next time.
      this.served.delete(id);
      this.served.set(id, each);
      return item;
    }
    return null;
  }

  /** A try has ended. Answers whether it is time to claim more. */
  done(endpointId: string, durationMs: number, answered: boolean): boolean {
    const each = this.entry(endpointId);
    each.inFlight -= 1;
    this.inFlight -= 1;
    each.tryMs = each.tryMs === null ? durationMs : each.tryMs * 0.8 + durationMs * 0.2;
    each.silent = !answered;
    return each.full && each.queue.length + each.inFlight <= claimable(each) / 2;
  }

  /** Forgets endpoints that have nothing to send, so that the map does not grow with every endpoint there ever was. */
  tidy(): void {
    if (this.served.size <= CLAIMED_MAX) return;
    for (const [id, each] of this.served) if (each.inFlight === 0 && each.queue.length === 0) this.served.delete(id);
  }

  /** Empties the queues: what was claimed and not begun. */
  drain(): Item[] {
    const items = [...this.served.values()].flatMap((each) => each.queue.splice(0));
    this.queued = 0;
    return items;
  }

  private entry(id: string): Served<Item> {
    const known = this.served.get(id);
    if (known) return known;
    const fresh: Served<Item> = { queue: [], inFlight: 0, tryMs: null, silent: false, full: false };
    this.served.set(id, fresh);
    return fresh;
  }
}

function inFlightMax(each: Served<unknown>): number {
  return each.silent ? IN_FLIGHT_WHILE_SILENT : IN_FLIGHT_PER_ENDPOINT;
}

function claimable(each: Served<unknown>): number {
  if (each.silent || each.tryMs === null) return inFlightMax(each);
  const ahead = Math.floor((IN_FLIGHT_PER_ENDPOINT * AHEAD_MS) / Math.max(each.tryMs, 1));
  return IN_FLIGHT_PER_ENDPOINT + Math.min(ahead, AHEAD_MAX);
}
