import type { ChargeRequest } from '../../../src/gateways/gateway.js';
import type { Debt } from '../debts.js';
import type { Bank } from '../gateway/bank.js';
import type { LedgerEntry } from '../gateway/objects.js';
import type { AttemptRow } from '../memory/rows.js';
import type { Tables } from '../memory/tables.js';
import type { Report } from './violation.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A charge follows its reading within this. */
const READ_BEFORE_MS = 25_000;
/** The smallest gap of any schedule (`gap_hours`). */
const GAP_MIN_MS = 3 * HOUR_MS;
/** A reading and the charge behind it are not one moment: what was paid so much earlier must have been seen. */
const SEEN_AFTER_MS = 120_000;
/** From this age on a gateway may have forgotten a key (docs/behaviour.md 4): a request may be a minute on its way. */
const KEY_LIFE_MS = 23 * HOUR_MS + 60_000;
/** Mastercard's waits by advice, in hours. */
const ADVICE_HOURS: Readonly<Record<string, number>> = {
  '24': 1,
  '25': 24,
  '26': 48,
  '27': 96,
  '28': 144,
  '29': 192,
  '30': 240,
  '03': 720,
  '21': 720,
};

/** What must hold of the gateway's own ledger, which believes no row of ours. */
export class GatewayChecks {
  /** When each debt was collected, and by whom. */
  private readonly collected = new Map<number, { atMs: number; byUs: number; entry: LedgerEntry }>();
  private readonly keysExecuted = new Set<string>();

  constructor(
    private readonly tables: Tables,
    private readonly bank: Bank,
    private readonly debts: ReadonlyMap<number, Debt>,
    private readonly debtOf: (recoveryId: string) => number | null,
    private readonly report: Report,
    private readonly nowMs: () => number,
  ) {}

  /** A charging call has arrived: its attempt is stored with this very key, and nothing of it differs. */
  onRequest({ idempotencyKey: key, target, paymentMethodToken }: ChargeRequest): void {
    const attempt = this.attemptOf(key);
    if (!attempt) return this.report('stored_before_the_call', null, key);
    const index = this.debtOf(attempt.recovery_id);
    const debt = this.debts.get(index ?? -1);
    if (this.nowMs() - attempt.opened_at.getTime() > KEY_LIFE_MS) this.report('never_under_a_dead_key', index, key);
    const id = target.kind === 'payment' ? target.paymentId : target.invoiceId;
    if (attempt['payment_object_id'] !== id) this.report('one_payment_object', index, `${key} charges ${id}`);
    if (
      debt &&
      !debt.methods.some(({ token }) => token === paymentMethodToken) &&
      !isFallback(debt, paymentMethodToken)
    ) {
      this.report('only_consented_cards', index, paymentMethodToken);
    }
  }

  onMismatch({ idempotencyKey: key }: ChargeRequest): void {
    this.report('identical_under_one_key', this.debtOf(key.slice(0, 26)), key);
  }

  onEntry(entry: LedgerEntry): void {
    const index = this.debtOfEntry(entry);
    if (entry.key !== null) this.executed(entry, index);
    if (entry.outcome === 'succeeded' && index !== null) this.collects(entry, index);
  }

  private executed(entry: LedgerEntry, index: number | null): void {
    const { key } = entry;
    if (key === null) return;
    const attempt = this.attemptOf(key);
    const debt = index === null ? undefined : this.debts.get(index);
    const wasAtBank = entry.outcome !== 'pending' && this.keysExecuted.has(key);
    if (wasAtBank) return;
    if (this.keysExecuted.has(key)) this.report('one_execution_per_key', index, key);
    this.keysExecuted.add(key);
    if (!attempt || !debt || index === null) return;
    // An invoice that is raised between a reading and the charge behind it is paid as it is: the gateway knows no other way.
    const raisedMs = debt.invoice?.raisedAtMs ?? 0;
    const isRaised = entry.amountMinor > debt.amountMinor && attempt.sent_at.getTime() > raisedMs + READ_BEFORE_MS;
    if (isRaised || entry.currency !== debt.currency) {
      this.report('amount_integrity', index, `${entry.amountMinor} ${entry.currency} for ${debt.amountMinor}`);
    }
    const paid = this.collected.get(index);
    if (paid && attempt.opened_at.getTime() > paid.atMs + SEEN_AFTER_MS) {
      this.report(
        'never_charges_a_paid_debt',
        index,
        `${key}, collected before by ${paid.entry.key ?? 'the customer'}`,
      );
    }
    this.spaced(entry, attempt, index);
    this.withinLimits(entry, attempt, index);
    this.notStopped(entry, attempt, index);
  }

  private collects(entry: LedgerEntry, index: number): void {
    const before = this.collected.get(index);
    const byUs = (before?.byUs ?? 0) + (entry.key === null ? 0 : 1);
    if (before && entry.key !== null && (before.byUs > 0 || entry.paymentId !== before.entry.paymentId)) {
      this.report('no_double_charge', index, `${entry.key} after ${before.entry.key ?? 'the customer'}`);
    }
    this.collected.set(index, before ? { ...before, byUs } : { atMs: entry.atMs, byUs, entry });
  }

  /** Retries by the schedule keep its gap on a card, whatever was slept through. */
  private spaced(entry: LedgerEntry, attempt: AttemptRow, index: number): void {
    if (!attempt.scheduled || attempt['trigger'] !== 'scheduled_retry') return;
    const before = this.bank.ledger.filter(
      (each) => each !== entry && each.key !== null && each.method === entry.method && this.debtOfEntry(each) === index,
    );
    const last = before.filter(({ outcome }) => outcome === 'declined').at(-1);
    if (last && attempt.opened_at.getTime() - last.atMs < GAP_MIN_MS) {
      this.report('minimum_spacing', index, `${attempt.opened_at.getTime() - last.atMs} ms after the last one`);
    }
  }

  private withinLimits(entry: LedgerEntry, { opened_at }: AttemptRow, index: number): void {
    const card = entry.method?.card;
    if (!card) return;
    const openedMs = opened_at.getTime();
    const declines = this.bank.ledger.filter(
      (each) =>
        each !== entry &&
        each.key !== null &&
        each.outcome === 'declined' &&
        each.method?.card?.fingerprint === card.fingerprint &&
        each.atMs <= openedMs,
    );
    const within = (windowMs: number, sameAmount: boolean) =>
      declines.filter((each) => each.atMs > openedMs - windowMs && (!sameAmount || isSameAmount(each, entry))).length;
    if (card.brand === 'mastercard') {
      if (within(DAY_MS, false) >= 9) this.report('network_limits', index, 'a tenth decline within 24 hours');
      if (within(30 * DAY_MS, true) >= 34) this.report('network_limits', index, 'a 35th decline within 30 days');
      this.waits(entry, declines, openedMs, index);
    } else if (within(30 * DAY_MS, true) >= 16) {
      this.report('network_limits', index, 'a 16th re-attempt within 30 days');
    }
  }

  private waits(entry: LedgerEntry, declines: readonly LedgerEntry[], openedMs: number, index: number): void {
    for (const decline of declines) {
      const { signals, atMs } = decline;
      const advice = signals?.networkAdviceCode ?? '';
      const hours = ADVICE_HOURS[advice];
      if (hours === undefined || (!isSameAmount(decline, entry) && hours < 720)) continue;
      // Nobody can wait for what is not known: an answer that was lost counts from the look that finds it.
      const answeredMs = this.attemptOf(decline.key ?? '')?.ended_at?.getTime() ?? Infinity;
      if (answeredMs > openedMs) continue;
      if (openedMs - atMs < hours * HOUR_MS)
        this.report('network_limits', index, `before the wait of advice ${advice}`);
    }
  }

  /** A card that was stopped on this debt is not charged for it again. */
  private notStopped(entry: LedgerEntry, { opened_at }: AttemptRow, index: number): void {
    const { method } = entry;
    const codes = new Set(['stolen_card', 'lost_card', 'fraudulent', 'pickup_card']);
    const stopped = this.bank.ledger.some(
      ({ key, atMs, signals, method: card, ...each }) =>
        key !== null &&
        key !== entry.key &&
        atMs < opened_at.getTime() &&
        card?.card?.fingerprint === method?.card?.fingerprint &&
        (codes.has(signals?.declineCode ?? '') || signals?.adviceCode === 'do_not_try_again') &&
        this.debtOfEntry({ key, atMs, signals, method: card, ...each }) === index,
    );
    if (stopped) this.report('stopped_cards_stay_stopped', index, entry.key ?? '');
  }

  private attemptOf(key: string): AttemptRow | undefined {
    return this.tables.attempts.get(key.slice(27));
  }

  private debtOfEntry({ key, paymentId, invoiceId }: LedgerEntry): number | null {
    if (key !== null) return this.debtOf(key.slice(0, 26));
    for (const [index, debt] of this.debts) {
      if (debt.original?.id === paymentId || (invoiceId !== null && debt.invoice?.id === invoiceId)) return index;
    }
    const made = this.bank.payments.get(paymentId)?.metadata['revtainTransactionId'];
    return made === undefined ? null : this.debtOf(made);
  }

  /** For the end: which debts we have collected, by the ledger. */
  collectedByUs(index: number): boolean {
    return (this.collected.get(index)?.byUs ?? 0) > 0;
  }

  isCollected(index: number): boolean {
    return this.collected.has(index);
  }
}

function isSameAmount(one: LedgerEntry, other: LedgerEntry): boolean {
  return one.amountMinor === other.amountMinor && one.currency === other.currency;
}

function isFallback({ request }: Debt, token: string): boolean {
  return request.fallbackConsent === true && (request.fallbackPaymentMethodTokens ?? []).includes(token);
}
