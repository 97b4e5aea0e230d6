import type { Statement, StatementResult } from '../../src/platform/db/database.js';
import type { FlightListener, Transacting } from './memory/memory-database.js';

export interface RecordedFlight {
  atMs: number;
  statements: readonly Statement[];
  /** What the in-memory store answered. */
  results: StatementResult[] | Error;
}

/** Keeps every flight that stood, to be flown again elsewhere. */
export class Recorder implements FlightListener {
  private readonly flights: { transaction: Transacting; flight: RecordedFlight }[] = [];
  private readonly undone = new Set<Transacting>();

  constructor(private readonly nowMs: () => number) {}

  onFlight(transaction: Transacting, statements: readonly Statement[], results: StatementResult[] | Error): void {
    this.flights.push({ transaction, flight: { atMs: this.nowMs(), statements, results } });
  }

  onRollback(transaction: Transacting): void {
    this.undone.add(transaction);
  }

  /** Without those whose writes were taken back; a flight that was refused as a whole is kept. */
  standing(): RecordedFlight[] {
    const kept = this.flights.filter(
      ({ transaction, flight }) => flight.results instanceof Error || !this.undone.has(transaction),
    );
    return kept.map(({ flight }) => flight);
  }
}
