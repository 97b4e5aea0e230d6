import type { DeliveryRow, EndpointRow, EventRow, TryRow } from './delivery-rows.js';
import type {
  AlertRow,
  AttemptRow,
  CardStopRow,
  KeyRow,
  RecoveryRow,
  Row,
  SeenChargeRow,
  TimelineRow,
} from './rows.js';

/** Raised as PostgreSQL raises it: a code, and the name of what was violated. */
export class ConstraintViolated extends Error {
  constructor(
    readonly code: '23505' | '23514',
    readonly constraint: string,
  ) {
    super(`${constraint} is violated`);
  }
}

/** Rows by their key, with a way back: a transaction that fails leaves nothing. */
export class Table<R extends Row> {
  private readonly rows = new Map<string, R>();

  constructor(
    readonly name: string,
    private readonly journal: Journal,
    private readonly keyOf: (row: R) => string,
  ) {}

  get(key: string): R | undefined {
    return this.rows.get(key);
  }

  all(): IterableIterator<R> {
    return this.rows.values();
  }

  where(matches: (row: R) => boolean): R[] {
    const found: R[] = [];
    for (const row of this.rows.values()) if (matches(row)) found.push(row);
    return found;
  }

  some(matches: (row: R) => boolean): boolean {
    for (const row of this.rows.values()) if (matches(row)) return true;
    return false;
  }

  /** @throws {ConstraintViolated} where there is one of this key. */
  insert(row: R): void {
    const key = this.keyOf(row);
    if (this.rows.has(key)) throw new ConstraintViolated('23505', `${this.name}_pkey`);
    this.put(key, row);
  }

  /** Inserts, unless there is one of this key. */
  insertIfNew(row: R): boolean {
    if (this.rows.has(this.keyOf(row))) return false;
    this.put(this.keyOf(row), row);
    return true;
  }

  replace(row: R): void {
    this.put(this.keyOf(row), row);
  }

  delete(row: R): void {
    this.put(this.keyOf(row), undefined);
  }

  private put(key: string, row: R | undefined): void {
    const before = this.rows.get(key);
    this.journal.note({ table: this.name, before, after: row, undo: () => this.set(key, before) });
    this.set(key, row);
  }

  private set(key: string, row: R | undefined): void {
    if (row === undefined) this.rows.delete(key);
    else this.rows.set(key, row);
  }
}

/** One row that a transaction has written. */
export interface Write {
  table: string;
  before: Row | undefined;
  after: Row | undefined;
  undo: () => void;
}

/** What the transactions under way have written. */
export class Journal {
  /** Grows with each write, so that what is derived from the rows is known to be old. */
  version = 0;
  private writes: Write[] = [];

  note(write: Write): void {
    this.version++;
    this.writes.push(write);
  }

  /** Hands over the writes since the last time. */
  take(): Write[] {
    const { writes } = this;
    if (writes.length > 0) this.writes = [];
    return writes;
  }

  static undo(writes: readonly Write[]): void {
    for (let place = writes.length - 1; place >= 0; place--) writes[place]?.undo();
  }
}

export interface ClientRow extends Row {
  id: string;
  chargingPausedSince: Date | null;
  chargingProbeAt: Date | null;
  clockOffsetMs: string;
}

/** The engine's tables, with the keys and unique indexes that `src/platform/db/migrations` gives them. */
export class Tables {
  readonly journal = new Journal();
  readonly clients = new Table<ClientRow>('clients', this.journal, (row) => row.id);
  readonly recoveries = new Table<RecoveryRow>('recoveries', this.journal, (row) => row.id);
  /** `lease_until` is apart from its row, because no reading asks for it. */
  readonly leases = new Table<LeaseRow>('leases', this.journal, (row) => row.id);
  readonly attempts = new Table<AttemptRow>('attempts', this.journal, (row) => row.id);
  readonly timeline = new Table<TimelineRow>(
    'recovery_events',
    this.journal,
    (row) => `${row.recovery_id}:${row.sequence}`,
  );
  readonly keys = new Table<KeyRow>('idempotency_keys', this.journal, (row) => `${row.client_id}:${row.key}`);
  readonly cardStops = new Table<CardStopRow>(
    'card_stops',
    this.journal,
    (row) =>
      `${row.client_id}:${row.debt_name}:${row.token_hash.toString('hex')}:${row.kind}:${row.card_fingerprint ?? ''}`,
  );
  readonly seenCharges = new Table<SeenChargeRow>(
    'seen_charges',
    this.journal,
    (row) => `${row.client_id}:${row.debt_name}:${row.at.getTime()}`,
  );
  readonly alerts = new Table<AlertRow>('operator_alerts', this.journal, (row) => row.id);
  readonly endpoints = new Table<EndpointRow>('webhook_endpoints', this.journal, (row) => row.id);
  readonly events = new Table<EventRow>('webhook_events', this.journal, (row) => row.id);
  readonly deliveries = new Table<DeliveryRow>('webhook_deliveries', this.journal, (row) => row.id);
  readonly tries = new Table<TryRow>('webhook_tries', this.journal, (row) => `${row.delivery_id}:${row.number}`);

  constructor(
    /** `clock_timestamp()`. */
    readonly clockMs: () => number,
  ) {}

  leaseUntilMs(id: string): number | null {
    return this.leases.get(id)?.untilMs ?? null;
  }

  isFree(id: string): boolean {
    const untilMs = this.leaseUntilMs(id);
    return untilMs === null || untilMs < this.clockMs();
  }
}

export interface LeaseRow extends Row {
  id: string;
  untilMs: number | null;
}

/** Open and paid recoveries hold their debt, as the generated column says. */
export function holdsDebt({ state, end_reason }: RecoveryRow): boolean {
  return (
    state === 'queued' ||
    state === 'in_progress' ||
    state === 'reconciling' ||
    state === 'succeeded' ||
    (state === 'cancelled' && end_reason === 'paid_elsewhere')
  );
}
