import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database, type Scope } from '../platform/db/database.js';
import { badField, notFound } from '../platform/http/domain-error.js';
import { AuditKeys } from './audit-keys.js';
import * as sql from './audit-sql.js';
import { ChainWalk, type Offence, type StoredLink } from './chain-walk.js';
import { type Checkpoint, isSigned } from './checkpoint.js';
import type { EventRow } from './event-digest.js';

const WORKER: Scope = { role: 'worker' };
/** Some 15 ms of hashing at a time. */
const PAGE = 1_000;
/** The chains follow within seconds while any worker runs. */
const BEHIND_AFTER_MS = 5 * 60_000;
/** A statement of ours takes milliseconds, but these read whole tables. */
const PATIENT = { text: `SELECT set_config('statement_timeout', '600000', true)` };

export interface Audit {
  held: boolean;
  checkedAt: string;
  durationMs: number;
  /** Chains, and the links in them. */
  clients: number;
  links: number;
  /** Events too young to be linked: nothing protects them yet. */
  pending: number;
  /** The first of them; `count` tells how many there are. */
  offences: Offence[];
  count: number;
}

export interface CheckpointPage {
  data: Checkpoint[];
  hasMore: boolean;
  nextAfter: string | null;
}

interface HeadRow {
  client_id: string;
  number: string;
  hash: Buffer;
  public_key: string;
  signature: string;
  signed_at: Date;
}

/** Enough to begin with: what was changed in one place is seldom seen in more than a few. */
const OFFENCES_MAX = 100;

/** Recomputes every chain from the rows. Reads only; it reads whole tables, so it is for a quiet hour on a big database. */
@Injectable()
export class Auditor {
  constructor(
    private readonly database: Database,
    private readonly keys: AuditKeys,
    private readonly clock: Clock,
  ) {}

  async audit(): Promise<Audit> {
    const startedMs = this.clock.monotonicMs();
    const checkedAt = this.clock.now();
    const offences: Offence[] = [];
    let [clients, links] = [0, 0];
    for (let page = await this.heads(''); page.length > 0; page = await this.heads(page.at(-1)?.client_id ?? '')) {
      for (const head of page) {
        offences.push(...(await this.walk(head)), ...this.signatureOf(head));
        clients += 1;
        links += Number(head.number);
      }
    }
    offences.push(...(await this.beyondHeads()), ...(await this.withoutLink()));
    const { pending, behind } = await this.pending(checkedAt);
    offences.push(...behind);
    return {
      held: offences.length === 0,
      checkedAt: checkedAt.toISOString(),
      durationMs: Math.round(this.clock.monotonicMs() - startedMs),
      clients,
      links,
      pending,
      offences: offences.slice(0, OFFENCES_MAX),
      count: offences.length,
    };
  }

  /** The signed heads as they are now, to be kept elsewhere. @throws {DomainError} 400 `invalid_cursor` */
  async checkpoints(after: string, limit: number): Promise<CheckpointPage> {
    if (after !== '') await this.assertCursor(after);
    const rows = await this.heads(after, limit + 1);
    const data = rows.slice(0, limit).map(checkpointFrom);
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.clientId ?? null) : null };
  }

  /** One link's hash in hex, to be compared with a checkpoint kept elsewhere. @throws {DomainError} 404 */
  async link(clientId: string, number: number): Promise<{ clientId: string; number: number; hash: string }> {
    const { rows } = await this.database.query<{ hash: Buffer }>(WORKER, {
      text: sql.ONE_LINK,
      values: [clientId, number],
    });
    if (!rows[0]) throw notFound('The chain of this client has no link of this number.');
    return { clientId, number, hash: rows[0].hash.toString('hex') };
  }

  private async assertCursor(after: string): Promise<void> {
    const { rows } = await this.database.query(WORKER, { text: sql.HEADS_OF, values: [[after]] });
    if (rows.length > 0) return;
    throw badField('after', 'invalid_cursor', 'is no row of this list', 'the nextAfter of the page before');
  }

  private async heads(after: string, limit = 200): Promise<HeadRow[]> {
    return (await this.database.query<HeadRow & object>(WORKER, { text: sql.PAGE_OF_HEADS, values: [after, limit] }))
      .rows;
  }

  private async walk({ client_id: clientId, number, hash }: HeadRow): Promise<Offence[]> {
    const walk = new ChainWalk(clientId);
    const offences: Offence[] = [];
    for (let after = '0'; ;) {
      const page = { name: 'audit_page_of_links', text: sql.PAGE_OF_LINKS, values: [clientId, after, number, PAGE] };
      const { rows } = await this.database.query<LinkRow & object>(WORKER, page);
      for (const row of rows) offences.push(...walk.next(linkFrom(row)));
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) return [...offences, ...walk.end({ number: Number(number), hash })];
      after = last.number;
    }
  }

  private signatureOf(head: HeadRow): Offence[] {
    const signed = this.keys.isOurs(head.public_key) && isSigned(checkpointFrom(head));
    const detail = `the head, link ${head.number}, is not signed by a key of this master key`;
    return signed ? [] : [{ kind: 'signature_invalid', clientId: head.client_id, transactionId: null, detail }];
  }

  private async beyondHeads(): Promise<Offence[]> {
    const rows = await this.patiently<{ client_id: string; recovery_id: string; number: string; head: string }>(
      sql.LINKS_BEYOND_HEADS,
    );
    return rows.map(({ client_id: clientId, recovery_id: transactionId, number, head }) => {
      const detail = `link ${number} stands behind the signed head, link ${head}`;
      return { kind: 'head_mismatch', clientId, transactionId, detail };
    });
  }

  private async withoutLink(): Promise<Offence[]> {
    const rows = await this.patiently<{ client_id: string; recovery_id: string; sequence: string }>(
      sql.EVENTS_WITHOUT_LINK,
    );
    return rows.map(({ client_id: clientId, recovery_id: transactionId, sequence }) => {
      const detail = `step ${sequence} stands among what is linked, and has no link`;
      return { kind: 'event_not_linked', clientId, transactionId, detail };
    });
  }

  private async pending(now: Date): Promise<{ pending: number; behind: Offence[] }> {
    const [row] = await this.patiently<{ pending: number; ran_at: Date }>(sql.PENDING);
    const pending = row?.pending ?? 0;
    const isBehind = pending > 0 && row !== undefined && now.getTime() - row.ran_at.getTime() > BEHIND_AFTER_MS;
    const detail = `${pending} events wait since ${row?.ran_at.toISOString() ?? ''}: does a worker run?`;
    return { pending, behind: isBehind ? [{ kind: 'chain_behind', clientId: '-', transactionId: null, detail }] : [] };
  }

  private async patiently<Row extends object>(text: string): Promise<Row[]> {
    const [, found] = await this.database.flight(WORKER, [PATIENT, { text }]);
    return (found?.rows ?? []) as Row[];
  }
}

type LinkRow = { number: string; link_recovery: string; link_sequence: string; digest: Buffer; hash: Buffer } & {
  [Column in keyof EventRow]: EventRow[Column] | null;
};

function linkFrom({ number, link_recovery, link_sequence, digest, hash, ...event }: LinkRow): StoredLink {
  const isThere = event.clientId !== null;
  const link = { number: Number(number), recoveryId: link_recovery, sequence: link_sequence, digest, hash };
  // An event has no nulls but the state before its first step.
  return { ...link, event: isThere ? (event as EventRow) : null };
}

function checkpointFrom(row: HeadRow): Checkpoint {
  return {
    format: 'revtain-audit-checkpoint/1',
    clientId: row.client_id,
    number: Number(row.number),
    hash: row.hash.toString('hex'),
    at: row.signed_at.toISOString(),
    publicKey: row.public_key,
    signature: row.signature,
  };
}
