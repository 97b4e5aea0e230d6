import { Injectable } from '@nestjs/common';

import { CardLedger } from '../../engine/card-ledger.js';
import { callOptions } from '../../engine/debt-reader.js';
import { hashToken } from '../../engine/fallback-tokens.js';
import type { Recovery } from '../../engine/recovery.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import type { ClaimedEvent, Worked } from '../inbound-event.js';
import { again, type BillingTurn, done, factOf, unread } from './billing-turn.js';
import { InvoiceEvents } from './invoice-events.js';

/** An event may come before the commit of the row that it is about; so many tries later there is no such row. */
const WAITED_FOR_TRIES = 4;

/**
 * Events about a payment, its charges, refunds and disputes. They open nothing: a payment that fails by itself may be
 * somebody at a checkout. Every failed charge counts against its network's limits, whoever made it.
 */
@Injectable()
export class PaymentEvents {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly invoices: InvoiceEvents,
    private readonly ledger: CardLedger,
  ) {}

  async work(turn: BillingTurn, paymentId: string): Promise<Worked> {
    const { clientId } = turn;
    const transactionId = factOf(turn, 'transactionId');
    const own = transactionId === null ? null : await this.finder.byId(clientId, transactionId);
    if (transactionId !== null && own === null && turn.tries < WAITED_FOR_TRIES)
      return again('its row is not here yet');
    const known = (await this.finder.newestOf(clientId, paymentId)) ?? own;
    if (known) return this.about(turn, known, known.debtName);
    const invoiceId = await this.invoiceOf(turn, paymentId);
    if (typeof invoiceId === 'object' && invoiceId !== null) return invoiceId;
    const ofInvoice = invoiceId === null ? null : await this.finder.newestOf(clientId, invoiceId);
    return this.about(turn, ofInvoice, invoiceId ?? paymentId);
  }

  private async about(turn: BillingTurn, recovery: Recovery | null, debtName: string): Promise<Worked> {
    for (const event of turn.events) await this.count(event, debtName);
    return recovery ? this.invoices.look(turn, recovery) : done('no_recovery');
  }

  /** The invoice it pays: told by an event of the old shape, else asked for. */
  private async invoiceOf(turn: BillingTurn, paymentId: string): Promise<string | null | Worked> {
    const told = factOf(turn, 'invoiceId');
    if (told !== null) return told;
    const { billing, context } = turn;
    const reading = await billing.invoiceOf(context.account, paymentId, callOptions(context));
    if (reading.kind === 'found') return reading.value;
    return reading.kind === 'not_found' || reading.kind === 'rejected' ? null : unread(reading);
  }

  /** Our own charges are counted as attempts; what was refused before it reached a network counts nowhere. */
  private async count({ clientId, type, facts }: ClaimedEvent, debtName: string): Promise<void> {
    const { failedAt, amount, currency, ownKey, reachedNetwork } = facts;
    if (type !== 'charge.failed' || ownKey !== undefined || reachedNetwork === 'not_sent_to_network') return;
    if (typeof failedAt !== 'number' || typeof amount !== 'number' || typeof currency !== 'string') return;
    const text = (name: string) => (typeof facts[name] === 'string' ? facts[name] : null);
    await this.ledger.note({
      clientId,
      debtName,
      at: new Date(failedAt * 1000),
      cardFingerprint: text('fingerprint'),
      tokenHash: hashToken(clientId, text('methodId') ?? text('chargeId') ?? ''),
      amountMinor: amount,
      currency: currency.toUpperCase(),
      networkDeclineCode: text('networkDeclineCode'),
      networkAdviceCode: text('networkAdviceCode'),
    });
  }
}
