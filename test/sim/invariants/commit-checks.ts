import type { DeliveryRow, EventRow } from '../memory/delivery-rows.js';
import type { AttemptRow, KeyRow, RecoveryRow, TimelineRow } from '../memory/rows.js';
import { isOpenAttempt } from '../memory/save.js';
import type { Tables, Write } from '../memory/tables.js';
import type { Report } from './violation.js';

/** Steps that are told, and by which events (docs/lifecycle.md). */
const FINAL_EVENT: Readonly<Record<string, string>> = {
  recovered: 'recovery.success',
  failed: 'recovery.failed',
  blocked: 'recovery.blocked',
  cancelled: 'recovery.cancelled',
  held_out: 'recovery.holdout',
};
const CLOSED = ['failed', 'blocked', 'cancelled', 'holdout'];
/** Columns that others than the holder of the lease may change: a pause that ends gives every deadline its time back. */
const SHARED_COLUMNS = new Set(['deadline_at', 'lease_owner']);

/** What must hold of every single commit, whoever made it. */
export class CommitChecks {
  constructor(
    private readonly tables: Tables,
    private readonly debtOf: (recoveryId: string) => number | null,
    private readonly report: Report,
  ) {}

  /** @param owner names the process that committed, as its leases do. */
  check(writes: readonly Write[], owner: string): void {
    const timeline = new Map<string, TimelineRow[]>();
    const events: EventRow[] = [];
    const changed = new Map<string, Write>();
    for (const write of writes) {
      const { table, before, after } = write;
      if (table === 'recoveries')
        changed.set((after as RecoveryRow).id, merged(changed.get((after as RecoveryRow).id), write));
      if (table === 'recovery_events') noteStep(timeline, after as TimelineRow);
      if (table === 'webhook_events' && before === undefined) events.push(after as EventRow);
      if (table === 'attempts') this.attempt(before as AttemptRow | undefined, after as AttemptRow);
      if (table === 'idempotency_keys') this.key(before as KeyRow | undefined, after as KeyRow | undefined);
      if (table === 'webhook_events') this.event(before as EventRow | undefined, after as EventRow);
      if (table === 'webhook_deliveries') this.delivery(before as DeliveryRow | undefined, after as DeliveryRow);
      if (after === undefined && table !== 'idempotency_keys') this.report('nothing_is_deleted', null, table);
    }
    for (const [id, { before, after }] of changed) {
      const steps = timeline.get(id) ?? [];
      timeline.delete(id);
      this.recovery(before as RecoveryRow | undefined, after as RecoveryRow, steps, owner);
      this.outbox(id, steps, events);
    }
    for (const id of timeline.keys())
      this.report('timeline_with_its_row', this.debtOf(id), 'steps without their recovery');
  }

  private recovery(before: RecoveryRow | undefined, after: RecoveryRow, steps: TimelineRow[], owner: string): void {
    const { id } = after;
    const say = (invariant: string, detail: string) => this.report(invariant, this.debtOf(id), `${id}: ${detail}`);
    const from = before?.sequence ?? 0;
    for (const [place, step] of steps.entries()) {
      const expected = place === 0 ? (before?.state ?? null) : (steps[place - 1]?.to_state ?? null);
      if (step.sequence !== from + place + 1) say('timeline_gap_free', `step ${step.sequence} after ${from + place}`);
      if (step.from_state !== expected)
        say('timeline_is_a_chain', `step ${step.sequence} begins in ${step.from_state}`);
    }
    if (after.sequence !== from + steps.length)
      say('timeline_gap_free', `${steps.length} steps from ${from} to ${after.sequence}`);
    const last = steps.at(-1)?.to_state ?? before?.state;
    if (last !== after.state) say('transition_is_told', `${String(last)} became ${after.state} without a step`);
    if (before) this.moved(before, after, owner, say);
    this.open(after, say);
  }

  private moved(before: RecoveryRow, after: RecoveryRow, owner: string, say: (i: string, d: string) => void): void {
    if (before.state === 'succeeded' && after.state !== 'succeeded')
      say('money_wins', `succeeded became ${after.state}`);
    const reopens = CLOSED.includes(before.state) && !CLOSED.includes(after.state) && after.state !== 'succeeded';
    if (reopens && after.round === before.round) say('rounds_are_counted', `${before.state} became ${after.state}`);
    if (
      CLOSED.includes(before.state) &&
      CLOSED.includes(after.state) &&
      after.state !== before.state &&
      after.round === before.round
    ) {
      say('ends_once', `${before.state} became ${after.state}`);
    }
    if (after.lease_token < before.lease_token) say('tokens_grow', `${before.lease_token} became ${after.lease_token}`);
    const isWork = Object.keys(after).some((column) => !SHARED_COLUMNS.has(column) && after[column] !== before[column]);
    if (after.lease_token === before.lease_token && isWork && before.lease_owner !== owner) {
      say('single_effective_owner', `written by ${owner}, held by ${before.lease_owner ?? 'nobody'}`);
    }
  }

  /** What is on the wire, lost or at the bank has its open attempt and a look; nothing else has. */
  private open(after: RecoveryRow, say: (i: string, d: string) => void): void {
    const open = this.tables.attempts.where((row) => row.recovery_id === after.id && isOpenAttempt(row));
    const isOut = after.state === 'in_progress' || after.state === 'reconciling';
    if (isOut && open.length !== 1) say('unknown_is_looked_up', `${after.state} with ${open.length} open attempts`);
    if (open.length > 0 && after.due_kind !== 'settle')
      say('unknown_is_looked_up', `open, and due for ${String(after.due_kind)}`);
    const endsTold = after.state === 'failed' || after.state === 'blocked';
    if (endsTold && open.length > 0)
      say('never_ends_while_unknown', `${after.state} with ${open[0]?.gateway_key ?? ''} open`);
  }

  /** The event exists if and only if the step does: in the same commit, with its number. */
  private outbox(id: string, steps: readonly TimelineRow[], events: readonly EventRow[]): void {
    const debt = this.debtOf(id);
    const own = events.filter((event) => event.recovery_id === id);
    for (const { type, sequence } of steps) {
      const expected = FINAL_EVENT[type];
      if (expected === undefined) continue;
      const told = own.find((event) => event.sequence === sequence && event.type === expected);
      if (!told) this.report('outbox_iff_transition', debt, `${id}: step ${sequence}, ${type}, has no ${expected}`);
    }
    for (const event of own) {
      const step = steps.find(({ sequence }) => sequence === event.sequence);
      if (!step)
        this.report('outbox_iff_transition', debt, `${id}: ${event.type} tells step ${event.sequence}, which is none`);
      if (event.final) this.final(id, event);
    }
  }

  private final(id: string, event: EventRow): void {
    const finals = this.tables.events.where((each) => each.recovery_id === id && each.final);
    const rounds = this.tables.recoveries.get(id)?.round ?? 0;
    const failed = finals.filter(({ type }) => type === 'recovery.failed').length;
    const unfinished = finals.filter(({ type }) => type !== 'recovery.success').length;
    const told = `${id}: ${finals.map(({ type }) => type).join(', ')} in ${rounds} rounds`;
    if (unfinished > rounds || failed > rounds) this.report('one_final_event_per_round', this.debtOf(id), told);
    const afterSuccess = finals.some((each) => each.type === 'recovery.success' && each.sequence < event.sequence);
    if (afterSuccess) this.report('nothing_after_success', this.debtOf(id), told);
  }

  private attempt(before: AttemptRow | undefined, after: AttemptRow): void {
    const debt = this.debtOf(after.recovery_id);
    const recovery = this.tables.recoveries.get(after.recovery_id);
    if (before && !isOpenAttempt(before) && before.outcome !== after.outcome) {
      this.report('known_stays_known', debt, `${after.id}: ${String(before.outcome)} became ${String(after.outcome)}`);
    }
    if (before || !recovery) return;
    if (after.gateway_key !== `${after.recovery_id}:${after.id}`)
      this.report('one_key_per_attempt', debt, after.gateway_key);
    if (after.opened_at >= recovery.deadline_at) this.report('never_after_the_deadline', debt, after.id);
    const { attemptsMax } = recovery['policy'] as { attemptsMax: number };
    const counted = this.tables.attempts.where(
      (row) => row.recovery_id === after.recovery_id && row.round === after.round && row.outcome !== 'not_executed',
    );
    // What a merchant commands comes on top of the schedule.
    const own = counted.filter(({ trigger }) => trigger !== 'manual_retry' && trigger !== 'card_updated');
    if (own.length > attemptsMax) this.report('attempts_max', debt, `${own.length} of ${attemptsMax}`);
    this.alone(after, debt);
  }

  /** No two charges of one debt are under way, whichever of its recoveries they belong to. */
  private alone(opened: AttemptRow, debt: number | null): void {
    const others = this.tables.attempts.where((row) => row.id !== opened.id && isOpenAttempt(row));
    for (const other of others) {
      const holder = this.tables.recoveries.get(other.recovery_id);
      // A cancelled one is only watched: its payment is the debt's one payment, and can not be collected twice.
      const isWatched = holder !== undefined && CLOSED.includes(holder.state);
      const isSame = debt !== null && this.debtOf(other.recovery_id) === debt;
      if (isSame && !isWatched)
        this.report('never_while_unknown', debt, `${opened.gateway_key} beside ${other.gateway_key}`);
    }
  }

  private key(before: KeyRow | undefined, after: KeyRow | undefined): void {
    if (!before) return;
    const isKept = after !== undefined && (before.recovery_id === null || before.recovery_id === after.recovery_id);
    if (before.recovery_id !== null && !isKept)
      this.report('one_recovery_per_key', this.debtOf(before.recovery_id), before.key);
    if (before.body !== null && (!after || after.body === null || !before.body.equals(after.body))) {
      this.report('one_answer_per_key', null, before.key);
    }
  }

  private event(before: EventRow | undefined, after: EventRow): void {
    if (before && !before.body.equals(after.body))
      this.report('bytes_are_fixed', this.debtOf(after.recovery_id ?? ''), after.id);
  }

  private delivery(before: DeliveryRow | undefined, after: DeliveryRow): void {
    if (before?.status === 'delivered' && after.status !== 'delivered') {
      this.report('delivered_stays_delivered', this.debtOf(after.recovery_id ?? ''), after.id);
    }
  }
}

function merged(first: Write | undefined, next: Write): Write {
  return first ? { ...next, before: first.before } : next;
}

function noteStep(timeline: Map<string, TimelineRow[]>, step: TimelineRow): void {
  const steps = timeline.get(step.recovery_id);
  if (steps) steps.push(step);
  else timeline.set(step.recovery_id, [step]);
}
