import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';

import type { Random } from '../platform/random.js';
import { NOUNS, type Bodies, type Kind, type Stored } from './bodies.js';
import type { EventType } from './event-types.js';
import { noSuch } from './stripe-refusal.js';
import { newStripeId } from './stripe-ids.js';
import { StagedWrites, type LedgerRow, type Settlement } from './staged-writes.js';

/** Whose request this is, as read when it began. */
export interface RequestScope {
  accountId: string;
  /** The account's clock: real time and its offset. */
  now: Date;
  requestId: string;
  idempotencyKey: string | null;
  hasEndpoints: boolean;
  publicUrl: string;
}

interface ObjectRow extends QueryResultRow {
  kind: Kind;
  body: Bodies[Kind];
  hidden: Stored['hidden'];
  parent_id: string | null;
  related_id: string | null;
}

/**
 * One request's view of one account: reads what it asks for, collects what it changes, and writes that in one flight
 * at the end. Nothing is written before `flush`, so a refusal leaves nothing behind.
 */
export class UnitOfWork {
  private readonly staged = new StagedWrites();
  private readonly loaded = new Map<string, Stored>();
  private readonly locked = new Set<string>();
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: PoolClient,
    readonly scope: RequestScope,
    private readonly random: Random,
  ) {}

  get accountId(): string {
    return this.scope.accountId;
  }

  get nowSeconds(): number {
    return Math.floor(this.scope.now.getTime() / 1000);
  }

  newId(prefix: string): string {
    return newStripeId(this.random, prefix);
  }

  /** Sends a query at once where the connection pipelines, else behind the one before it. */
  query<Row extends QueryResultRow>(config: QueryConfig): Promise<QueryResult<Row>> {
    if (this.client.pipeline) return this.client.query<Row>(config);
    const sent = this.tail.then(() => this.client.query<Row>(config));
    // The caller sees the failure; the queue only has to go on.
    this.tail = sent.catch(() => undefined);
    return sent;
  }

  /** The object, or null where this account has none of that kind and id. */
  async find<K extends Kind>(kind: K, id: string, lock = false): Promise<Stored<K> | null> {
    const known = this.loaded.get(id);
    if (known && (!lock || this.locked.has(id))) return isOfKind(known, kind) ? known : null;
    const found = await this.query<ObjectRow>({
      name: lock ? 'test_gateway_lock' : 'test_gateway_find',
      text:
        'SELECT kind, body, hidden, parent_id, related_id FROM test_gateway.objects WHERE account_id = $1 AND id = $2' +
        (lock ? ' FOR UPDATE' : ''),
      values: [this.accountId, id],
    });
    const row = found.rows[0];
    if (!row) return null;
    const stored = storedFrom(row);
    this.loaded.set(id, stored);
    if (lock) this.locked.add(id);
    return isOfKind(stored, kind) ? stored : null;
  }

  /**
   * The object, read under a row lock that is held until the request ends.
   * @throws {StripeRefusal} `resource_missing`; 404, or 400 when `param` names the parameter that held the id.
   */
  async lock<K extends Kind>(kind: K, id: string, param?: string): Promise<Stored<K>> {
    const stored = await this.find(kind, id, true);
    if (!stored) throw noSuch(NOUNS[kind], id, param);
    return stored;
  }

  /** The object, unlocked. @throws {StripeRefusal} as `lock` does. */
  async get<K extends Kind>(kind: K, id: string, param?: string): Promise<Stored<K>> {
    const stored = await this.find(kind, id);
    if (!stored) throw noSuch(NOUNS[kind], id, param);
    return stored;
  }

  /** All objects of a kind below a parent, oldest first, those made in this request included. */
  async below<K extends Kind>(kind: K, parentId: string): Promise<Stored<K>[]> {
    const found = await this.query<ObjectRow & { id: string }>({
      name: 'test_gateway_below',
      text: `SELECT id, kind, body, hidden, parent_id, related_id FROM test_gateway.objects
        WHERE account_id = $1 AND parent_id = $2 AND kind = $3 ORDER BY seq`,
      values: [this.accountId, parentId, kind],
    });
    for (const row of found.rows) if (!this.loaded.has(row.id)) this.loaded.set(row.id, storedFrom(row));
    return [...this.loaded.values()].filter(
      (stored): stored is Stored<K> => isOfKind(stored, kind) && stored.parentId === parentId,
    );
  }

  /** A new object, to be written at the end. */
  create<K extends Kind>(kind: K, body: Bodies[K], links: Partial<Omit<Stored<K>, 'kind' | 'body'>> = {}): Stored<K> {
    const stored: Stored<K> = { kind, body, hidden: {}, parentId: null, relatedId: null, ...links };
    this.loaded.set(body.id, stored);
    this.locked.add(body.id);
    this.staged.save(stored);
    return stored;
  }

  /** Marks a changed object for writing. */
  save(stored: Stored): void {
    this.staged.save(stored);
  }

  remove(stored: Stored): void {
    this.loaded.delete(stored.body.id);
    this.staged.remove(stored);
  }

  /** Tells that something happened, with the object as it is at this moment. */
  emit(type: EventType, object: object, previous?: object): void {
    const id = this.newId('evt');
    this.staged.event({
      id,
      type,
      created: this.nowSeconds,
      object,
      ...(previous ? { previous } : {}),
      scope: this.scope,
    });
  }

  /** Books a charge, or the end of a pending one, in the money ledger. */
  book(row: LedgerRow): void {
    this.staged.ledger(row);
  }

  /** Sets when and how a charge that is at the bank will end, or (null) takes that away. */
  settleLater(paymentIntentId: string, settlement: Settlement | null): void {
    this.staged.settlement(paymentIntentId, settlement);
  }

  /** Forgets every change. */
  discard(): void {
    this.staged.clear();
  }

  /** The statements that write what was collected; to be sent before the COMMIT, in this order. */
  writes(realNow: Date): QueryConfig[] {
    return this.staged.statements(this.scope, realNow);
  }
}

function storedFrom(row: ObjectRow): Stored {
  return { kind: row.kind, body: row.body, hidden: row.hidden, parentId: row.parent_id, relatedId: row.related_id };
}

function isOfKind<K extends Kind>(stored: Stored, kind: K): stored is Stored<K> {
  return stored.kind === kind;
}
