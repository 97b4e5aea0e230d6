import { Injectable } from '@nestjs/common';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database, isConnectionError, type Transaction } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import { AuditKeys } from './audit-keys.js';
import * as sql from './audit-sql.js';
import type { Head } from './chain-walk.js';
import { signCheckpoint } from './checkpoint.js';
import { CHAIN_START, digestOf, type EventRow, linkHash } from './event-digest.js';

/** How far the chains lag behind the timeline at most, on an idle machine. */
const EVERY_MS = 1_000;
/** Some 15 ms of hashing: other work of this process must not wait longer. */
const BATCH = 1_000;
/** Without events the progress is noted this often all the same, so that a dead chainer can be told from a quiet hour. */
const NOTE_EVERY_MS = 60_000;

interface Progress {
  mine: boolean;
  written_in: string;
  client_id: string;
  recovery_id: string;
  sequence: string;
  ran_at: Date;
  fromAnotherServer: boolean;
}

type NextEvent = EventRow & { linked: boolean };

interface NewLink extends Head {
  event: EventRow;
  digest: Buffer;
}

/**
 * Links the timeline's events into one hash chain per client, behind the writers and never in their way, and signs where each
 * chain ends. Any number of processes may run it: one links at a time, and all of a turn is one transaction.
 */
@Injectable()
export class Chainer extends BackgroundLoop {
  override readonly name = 'audit-chainer';

  constructor(
    private readonly database: Database,
    private readonly keys: AuditKeys,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  /** Links a batch of what is not linked yet. Answers whether there is more. */
  async linkBatch(): Promise<boolean> {
    return this.database.transaction({ role: 'worker' }, async (tx) => {
      const { rows } = await tx.query<Progress & object>({ name: 'audit_progress', text: sql.LOOK_AT_PROGRESS });
      const progress = rows[0];
      if (!progress?.mine) return false;
      const events = await nextEvents(tx, progress);
      const last = events.at(-1);
      if (last) await this.link(tx, events);
      else await this.signAnew(tx);
      const now = this.clock.now();
      if (last) await note(tx, [last.writtenIn, last.clientId, last.recoveryId, last.sequence, now]);
      else if (now.getTime() - progress.ran_at.getTime() > NOTE_EVERY_MS) {
        await note(tx, [progress.written_in, progress.client_id, progress.recovery_id, progress.sequence, now]);
      }
      return events.length === BATCH;
    });
  }

  protected override async turn(): Promise<number> {
    return (await this.linkBatch()) ? 0 : EVERY_MS;
  }

  /** The next turn begins where the last whole one ended. */
  protected override interrupted(error: unknown): number {
    if (isConnectionError(error)) this.log.warn('audit.database_unavailable');
    else this.log.error('audit.chain_failed', {}, error);
    return EVERY_MS;
  }

  private async link(tx: Transaction, events: NextEvent[]): Promise<void> {
    const fresh = events.filter(({ linked }) => !linked);
    const heads = await headsOf(tx, [...new Set(fresh.map(({ clientId }) => clientId))]);
    const links = fresh.map((event) => appendTo(heads, event));
    if (links.length === 0) return;
    const column = (of: (link: NewLink) => unknown) => links.map(of);
    await tx.query({
      name: 'audit_add_links',
      text: sql.ADD_LINKS,
      values: [
        column(({ event }) => event.clientId),
        column(({ number }) => number),
        column(({ event }) => event.recoveryId),
        column(({ event }) => event.sequence),
        column(({ digest }) => digest),
        column(({ hash }) => hash),
      ],
    });
    await this.moveHeads(tx, heads);
  }

  private async moveHeads(tx: Transaction, heads: Map<string, Head>): Promise<void> {
    if (heads.size === 0) return;
    const at = this.clock.now();
    const signed = [...heads].map(([clientId, { number, hash }]) => {
      const unsigned = { clientId, number, hash: hash.toString('hex'), at: at.toISOString() };
      return signCheckpoint(unsigned, this.keys.current);
    });
    await tx.query({
      name: 'audit_move_heads',
      text: sql.MOVE_HEADS,
      values: [
        signed.map(({ clientId }) => clientId),
        signed.map(({ number }) => number),
        signed.map(({ hash }) => Buffer.from(hash, 'hex')),
        signed.map(({ publicKey }) => publicKey),
        signed.map(({ signature }) => signature),
        at,
      ],
    });
  }

  /** After a new master key: a head that only an earlier one has signed would be worth nothing once that is forgotten. */
  private async signAnew(tx: Transaction): Promise<void> {
    const { rows } = await tx.query<HeadRow>({
      name: 'audit_stale_heads',
      text: sql.HEADS_TO_SIGN_ANEW,
      values: [this.keys.current.publicKey],
    });
    await this.moveHeads(tx, headsFrom(rows));
  }
}

async function nextEvents(tx: Transaction, progress: Progress): Promise<NextEvent[]> {
  // Restored into a server whose transactions are numbered lower: all is looked at again, what is linked is passed over.
  const after = progress.fromAnotherServer
    ? [0, '', '', 0]
    : [progress.written_in, progress.client_id, progress.recovery_id, progress.sequence];
  const next = { name: 'audit_next_events', text: sql.NEXT_EVENTS, values: [...after, BATCH] };
  return (await tx.query<NextEvent & object>(next)).rows;
}

interface HeadRow {
  client_id: string;
  number: string;
  hash: Buffer;
}

async function headsOf(tx: Transaction, clientIds: string[]): Promise<Map<string, Head>> {
  const { rows } = await tx.query<HeadRow>({ name: 'audit_heads', text: sql.HEADS_OF, values: [clientIds] });
  return headsFrom(rows);
}

function headsFrom(rows: HeadRow[]): Map<string, Head> {
  return new Map(rows.map(({ client_id: id, number, hash }) => [id, { number: Number(number), hash }]));
}

/** The event's link at the end of its client's chain, which it moves on. */
function appendTo(heads: Map<string, Head>, event: EventRow): NewLink {
  const head = heads.get(event.clientId) ?? { number: 0, hash: CHAIN_START };
  const number = head.number + 1;
  const digest = digestOf(event);
  const hash = linkHash(head.hash, number, digest);
  heads.set(event.clientId, { number, hash });
  return { event, number, digest, hash };
}

async function note(tx: Transaction, values: unknown[]): Promise<void> {
  await tx.query({ name: 'audit_note_progress', text: sql.NOTE_PROGRESS, values });
}
