import { Injectable } from '@nestjs/common';

import { Auditor } from '../audit/auditor.service.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { INVARIANTS, type Invariant } from './invariants.js';

/** A statement of ours takes milliseconds, but these read whole tables. */
const PATIENT = { text: `SELECT set_config('statement_timeout', '600000', true)` };
/** Enough to begin with: a broken rule seldom breaks for one row. */
const OFFENDERS_MAX = 20;

export interface Offender {
  clientId: string;
  transactionId: string | null;
  detail: string;
}

export interface CheckedInvariant {
  name: string;
  meaning: string;
  held: boolean;
  /** The first of them; `count` tells how many there are. */
  offenders: Offender[];
  count: number;
}

export interface Verification {
  held: boolean;
  checkedAt: string;
  durationMs: number;
  invariants: CheckedInvariant[];
}

/**
 * Checks a live database against what must always hold. Each rule is one statement and so one snapshot: work that goes on
 * meanwhile breaks none. Reads only; it reads whole tables, so it is for a quiet hour on a big database.
 */
@Injectable()
export class Verifier {
  constructor(
    private readonly database: Database,
    private readonly auditor: Auditor,
    private readonly clock: Clock,
  ) {}

  async verify(): Promise<Verification> {
    const startedMs = this.clock.monotonicMs();
    const checkedAt = this.clock.now().toISOString();
    const invariants: CheckedInvariant[] = [];
    // One after the other: a check must not take the connections that payments need.
    for (const invariant of INVARIANTS) invariants.push(await this.check(invariant));
    invariants.push(await this.auditChain());
    const held = invariants.every((each) => each.held);
    return { held, checkedAt, durationMs: Math.round(this.clock.monotonicMs() - startedMs), invariants };
  }

  /** The timeline itself: what is said above of it counts only if nobody has written it anew. */
  private async auditChain(): Promise<CheckedInvariant> {
    const { held, count, offences } = await this.auditor.audit();
    const offenders = offences.slice(0, OFFENDERS_MAX).map(({ kind, clientId, transactionId, detail }) => {
      return { clientId, transactionId, detail: `${kind}: ${detail}` };
    });
    const meaning = 'every event of the timeline reads as when it was linked, and the chain ends where it was signed';
    return { name: 'audit_chain_holds', meaning, held, offenders, count };
  }

  private async check({ name, meaning, sql }: Invariant): Promise<CheckedInvariant> {
    const text = `SELECT o.client_id, o.id, o.detail, count(*) OVER ()::int AS total FROM (${sql}) o
                  ORDER BY o.client_id, o.id LIMIT ${OFFENDERS_MAX}`;
    const [, found] = await this.database.flight({ role: 'worker' }, [PATIENT, { text }]);
    const rows = (found?.rows ?? []) as OffenderRow[];
    const offenders = rows.map(({ client_id: clientId, id, detail }) => ({ clientId, transactionId: id, detail }));
    return { name, meaning, held: rows.length === 0, offenders, count: rows[0]?.total ?? 0 };
  }
}

interface OffenderRow {
  client_id: string;
  id: string | null;
  detail: string;
  total: number;
}
