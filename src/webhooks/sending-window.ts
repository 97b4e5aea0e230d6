/** How many requests may be on the wire. */
export const IN_FLIGHT_MAX = 128;
// Of these, so many for endpoints that have not received anything lately: each of their tries may take a place for ten
// seconds, and however many of them there are, those that are well keep the other half.
export const IN_FLIGHT_UNPROVEN = 64;
const IN_FLIGHT_PER_ENDPOINT = 8;
// One that does not answer is probed by a few: each such try takes a place for ten seconds.
const IN_FLIGHT_WHILE_SILENT = 2;

// Claimed ahead of sending is what an endpoint is expected to take within this time, so that no lease runs out in line.
const AHEAD_MS = 1_000;
const AHEAD_MAX = 248;
const CLAIMED_MAX = 1_024;
// One claim takes so many at the most, for none is sent before all of them are there.
const CLAIM_MAX = 512;
// More is claimed in time, for a fast endpoint goes on while the database works on a claim; and not much at a time costs more each.
const ASK_AFTER = 128;

interface Served<Item> {
  queue: Item[];
  inFlight: number;
  /** A moving average of how long its tries take; null before the first. */
  tryMs: number | null;
  silent: boolean;
  /** It has received what it was sent last by this process. */
  proven: boolean;
  /** The last claim gave it all that it had room for: there may be more. */
  full: boolean;
}

/**
 * Who may send next: at most 128 requests at once, half of them to endpoints that may not answer, at most 8 to one, each endpoint in the order its deliveries
 * were claimed, and endpoints in turn, so that a slow one holds up nobody else. Pure bookkeeping.
 */
export class SendingWindow<Item extends { endpoint: { id: string }; isFailing: boolean }> {
  private readonly served = new Map<string, Served<Item>>();
  private inFlight = 0;
  private unproven = 0;
  private queued = 0;

  /** How many deliveries the next claim may bring. */
  limits(): { perEndpoint: number; rooms: Map<string, number>; inAll: number; failing: number } {
    const rooms = new Map<string, number>();
    for (const [id, each] of this.served)
      rooms.set(id, Math.max(0, claimable(each) - each.queue.length - each.inFlight));
    return {
      perEndpoint: IN_FLIGHT_PER_ENDPOINT,
      rooms,
      inAll: Math.min(CLAIM_MAX, CLAIMED_MAX - this.queued - this.inFlight),
      failing: Math.max(0, Math.floor((IN_FLIGHT_UNPROVEN - this.unproven) / IN_FLIGHT_WHILE_SILENT)),
    };
  }

  /** Takes what a claim under these limits has brought. */
  add(
    items: readonly Item[],
    limits: { perEndpoint: number; rooms: ReadonlyMap<string, number>; inAll: number },
  ): void {
    const counts = new Map<string, number>();
    for (const item of items) {
      const { id } = item.endpoint;
      counts.set(id, (counts.get(id) ?? 0) + 1);
      this.entry(id, item.isFailing).queue.push(item);
    }
    this.queued += items.length;
    for (const [id, each] of this.served) {
      const count = counts.get(id) ?? 0;
      // Where the claim as a whole was cut off, any of those in it may have more.
      each.full = count >= (limits.rooms.get(id) ?? limits.perEndpoint) || (count > 0 && items.length >= limits.inAll);
    }
  }

  /** Whether any endpoint was given all that it had room for, and is still busy with it. */
  isFull(): boolean {
    for (const each of this.served.values()) if (each.full && each.queue.length + each.inFlight > 0) return true;
    return false;
  }

  /** The next delivery to send; null when all that may be is on the wire. */
  next(): Item | null {
    if (this.inFlight >= IN_FLIGHT_MAX) return null;
    for (const [id, each] of this.served) {
      if (each.inFlight >= inFlightMax(each)) continue;
      if (!each.proven && this.unproven >= IN_FLIGHT_UNPROVEN) continue;
      const item = each.queue.shift();
      if (!item) continue;
      each.inFlight += 1;
      this.inFlight += 1;
      if (!each.proven) this.unproven += 1;
      this.queued -= 1;
      // To the end of the round: the others come first next time.
      this.served.delete(id);
      this.served.set(id, each);
      return item;
    }
    return null;
  }

  /** A try has ended; `well` when it was received. Answers whether it is time to claim more. */
  done(endpointId: string, durationMs: number, well: boolean): boolean {
    const each = this.entry(endpointId, !well);
    this.inFlight -= 1;
    if (!each.proven) this.unproven -= 1;
    each.inFlight -= 1;
    this.prove(each, well);
    each.tryMs = each.tryMs === null ? durationMs : each.tryMs * 0.8 + durationMs * 0.2;
    each.silent = !well;
    const most = claimable(each);
    return each.full && each.queue.length + each.inFlight <= Math.max(most / 2, most - ASK_AFTER);
  }

  /** Takes back what stands in line for an endpoint that has just failed, but for the few that may go on probing it. */
  shed(endpointId: string): Item[] {
    const each = this.served.get(endpointId);
    if (!each || each.proven) return [];
    const items = each.queue.splice(IN_FLIGHT_WHILE_SILENT);
    this.queued -= items.length;
    return items;
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

  /** What it has on the wire moves with it from one half of the places to the other. */
  private prove(each: Served<Item>, well: boolean): void {
    if (each.proven === well) return;
    each.proven = well;
    this.unproven += well ? -each.inFlight : each.inFlight;
  }

  private entry(id: string, failing: boolean): Served<Item> {
    const known = this.served.get(id);
    if (known) return known;
    const fresh: Served<Item> = {
      ...{ queue: [], inFlight: 0, tryMs: null },
      ...{ silent: failing, proven: false, full: false },
    };
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
