import type { Debt } from '../debts.js';
import type { Answered } from '../merchant.js';
import type { AttemptRow, RecoveryRow } from '../memory/rows.js';
import type { Tables } from '../memory/tables.js';
import type { Bank } from '../gateway/bank.js';
import type { LedgerEntry } from '../gateway/objects.js';
import type { Receipt } from '../receivers.js';
import type { GatewayChecks } from './gateway-checks.js';
import type { Report } from './violation.js';

/** What must hold when nothing is left to happen. */
export class EndChecks {
  constructor(
    private readonly tables: Tables,
    private readonly bank: Bank,
    private readonly gateway: GatewayChecks,
    private readonly debtOf: (recoveryId: string) => number | null,
    private readonly report: Report,
  ) {}

  check(debts: ReadonlyMap<number, Debt>, answers: readonly Answered[], receipts: readonly Receipt[]): void {
    for (const row of this.tables.recoveries.all()) this.ended(row);
    for (const row of this.tables.attempts.all()) this.settled(row);
    for (const index of debts.keys()) this.money(index);
    for (const answered of answers) this.kept(answered);
    this.oneBodyPerKey(answers);
    this.delivered(receipts);
  }

  /** Each accepted recovery has ended, and nothing of it is due. */
  private ended(row: RecoveryRow): void {
    const isOpen = ['queued', 'in_progress', 'reconciling', 'action_required'].includes(row.state);
    if (isOpen || row.due_at !== null) {
      const due = `due ${row.due_at?.toISOString() ?? 'never'} for ${row.due_kind ?? 'nothing'}`;
      this.report('nothing_is_lost', this.debtOf(row.id), `${row.id} is ${row.state}, ${due}`);
    }
  }

  /** Started = succeeded + declined + not executed, and each of them is what the gateway's ledger says. */
  private settled({ recovery_id: recoveryId, id, gateway_key: key, outcome }: AttemptRow): void {
    const debt = this.debtOf(recoveryId);
    const entries = this.bank.ledger.filter((entry) => entry.key === key);
    const collected = entries.some((entry) => entry.outcome === 'succeeded');
    const isKnown = outcome === 'succeeded' || outcome === 'declined' || outcome === 'not_executed';
    if (!isKnown) return this.report('attempts_clear', debt, `${key} is ${String(outcome)}`);
    // An operator's word is taken, once a reading does not contradict it; a payment that somebody canceled ends as it is.
    if (outcome === 'not_executed' && (this.isResolved(id) || this.isCanceled(entries))) return;
    if (collected && outcome !== 'succeeded')
      this.report('unknown_is_honest', debt, `${key} is ${outcome}, and collected`);
    if (outcome === 'declined' && entries.length === 0)
      this.report('unknown_is_honest', debt, `${key} was never declined`);
    if (outcome === 'not_executed' && entries.some((entry) => entry.outcome === 'declined')) {
      this.report('unknown_is_honest', debt, `${key} is not_executed, and was declined`);
    }
  }

  private isResolved(attemptId: string): boolean {
    return this.tables.timeline.some(
      ({ type, inputs }) => type === 'resolved_by_hand' && (inputs as { attemptId: string }).attemptId === attemptId,
    );
  }

  private isCanceled(entries: readonly LedgerEntry[]): boolean {
    return entries.some(
      ({ paymentId, invoiceId }) =>
        this.bank.payments.get(paymentId)?.status === 'canceled' ||
        (invoiceId !== null && this.bank.invoices.get(invoiceId)?.status === 'void'),
    );
  }

  /** Money that came is told, and none is told that did not come. */
  private money(index: number): void {
    const recoveries = this.tables.recoveries.where((row) => this.debtOf(row.id) === index);
    const succeeded = recoveries.filter((row) => row.state === 'succeeded');
    if (succeeded.length > 1) this.report('one_success_per_debt', index, succeeded.map(({ id }) => id).join(', '));
    if (succeeded.length > 0 && !this.gateway.isCollected(index)) {
      this.report('no_false_success', index, succeeded[0]?.id ?? '');
    }
    if (!this.gateway.collectedByUs(index) || succeeded.length > 0) return;
    // A newer recovery may hold the debt, which alone may book a success: then a person is told.
    const told = this.tables.alerts.some(
      (row) => row.kind === 'late_success' && this.debtOf(row.recovery_id ?? '') === index,
    );
    if (!told) this.report('money_is_told', index, recoveries.map(({ id, state }) => `${id} ${state}`).join(', '));
  }

  /** What was answered to a caller stands, and says the same of the same key. */
  private kept({ debt, key, status, transactionId, call }: Answered): void {
    if (call !== 'execute' || ![200, 202, 403].includes(status)) return;
    const row = transactionId === null ? undefined : this.tables.recoveries.get(transactionId);
    if (!row)
      return this.report('accepted_is_durable', debt.index, `${String(transactionId)} was answered and is gone`);
    if (key === null) return;
    const kept = this.tables.keys.get(`${debt.clientId}:${key}`);
    if (kept && kept.recovery_id !== row.id) this.report('one_recovery_per_key', debt.index, key);
  }

  /** Of two bodies under one key, one is accepted. */
  private oneBodyPerKey(answers: readonly Answered[]): void {
    const accepted = new Map<string, Answered>();
    for (const answered of answers) {
      const { key, status, debt, request } = answered;
      if (key === null || ![200, 202, 403].includes(status)) continue;
      const first = accepted.get(`${debt.clientId}:${key}`) ?? answered;
      accepted.set(`${debt.clientId}:${key}`, first);
      if (first.request !== request) this.report('one_body_per_key', debt.index, key);
    }
  }

  private delivered(receipts: readonly Receipt[]): void {
    // One that took it and said nothing has not accepted it.
    const accepted = receipts.filter((receipt) => receipt.accepted);
    const received = new Set(accepted.map(({ eventId, url }) => `${eventId}|${url}`));
    for (const row of this.tables.deliveries.all()) {
      const debt = this.debtOf(row.recovery_id ?? '');
      if (row.status === 'pending' || row.status === 'held')
        this.report('every_event_is_delivered', debt, `${row.id} is ${row.status}`);
      const url = this.tables.endpoints.get(row.endpoint_id)?.url ?? '';
      if (row.status === 'delivered' && !received.has(`${row.event_id}|${url}`)) {
        this.report('delivered_was_received', debt, row.id);
      }
    }
  }
}
