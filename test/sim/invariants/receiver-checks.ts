import type { Tables } from '../memory/tables.js';
import type { Receipt } from '../receivers.js';
import type { Report } from './violation.js';

/** A claim looks at the debt, and the try begins within this of it. */
const ON_ITS_WAY_MS = 20_000;

/** What must hold of every try that a receiver sees. */
export class ReceiverChecks {
  private readonly seen = new Map<string, Set<string>>();
  private readonly sequences = new Map<string, number>();
  private readonly settledMs = new Map<number, number>();

  constructor(
    private readonly tables: Tables,
    private readonly debtOf: (recoveryId: string) => number | null,
    private readonly report: Report,
  ) {}

  /** A success was committed: from then on nobody is told that the debt is owed. */
  onSettled(debt: number | null, atMs: number): void {
    if (debt !== null && !this.settledMs.has(debt)) this.settledMs.set(debt, atMs);
  }

  onReceipt({ eventId, url, body, sequence, atMs }: Receipt): void {
    const event = this.tables.events.get(eventId);
    if (!event) return this.report('told_only_what_stands', null, eventId);
    const debt = this.debtOf(event.recovery_id ?? '');
    if (!event.body.equals(body)) this.report('bytes_are_fixed', debt, eventId);
    const place = `${url}|${event.recovery_id ?? ''}`;
    const before = this.seen.get(place) ?? new Set<string>();
    this.seen.set(place, before);
    if (before.has(eventId)) return;
    before.add(eventId);
    // A number may be missing: of one that was claimed, and then taken back or given up before it arrived.
    const last = this.sequences.get(place) ?? 0;
    if (sequence <= last) this.report('sequence_per_endpoint', debt, `${eventId} is ${sequence} after ${last}`);
    this.sequences.set(place, sequence);
    for (const other of before) {
      const earlier = this.tables.events.get(other);
      if (earlier && earlier.sequence > event.sequence)
        this.report('events_in_order', debt, `${eventId} after ${other}`);
    }
    const settledMs = this.settledMs.get(debt ?? -1) ?? Infinity;
    if (event.type === 'recovery.failed' && atMs > settledMs + ON_ITS_WAY_MS) {
      this.report('untrue_events_are_withdrawn', debt, eventId);
    }
  }
}
