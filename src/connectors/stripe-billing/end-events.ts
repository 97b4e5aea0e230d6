import { Injectable } from '@nestjs/common';

import { callOptions } from '../../engine/debt-reader.js';
import { Endings, platformRule } from '../../engine/endings.js';
import { hashToken } from '../../engine/fallback-tokens.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import { isOpen } from '../../recovery/lifecycle.js';
import { ConnectedAccounts } from '../connected-accounts.service.js';
import type { Worked } from '../inbound-event.js';
import { again, type BillingTurn, done, STRIPE_BILLING, unread } from './billing-turn.js';
import { CardEvents } from './card-events.js';
import { StripeConnections } from './connect.service.js';
import { isOver } from './invoice-decision.js';
import { InvoiceEvents } from './invoice-events.js';

/** Subscriptions, mandates and the account itself: what their end means for open recoveries. */
@Injectable()
export class EndEvents {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly endings: Endings,
    private readonly invoices: InvoiceEvents,
    private readonly cards: CardEvents,
    private readonly accounts: ConnectedAccounts,
    private readonly connections: StripeConnections,
  ) {}

  /** A subscription that is over churns: what is still open of it is collected no more. */
  async subscription(turn: BillingTurn, subscriptionId: string): Promise<Worked> {
    const { billing, context } = turn;
    const reading = await billing.subscription(context.account, subscriptionId, callOptions(context));
    if (reading.kind === 'not_found') return done('subscription_gone');
    if (reading.kind !== 'found') return unread(reading);
    const { status, defaultMethodId, customerId } = reading.value;
    if (isOver(status)) return this.churned(turn, subscriptionId);
    if (defaultMethodId === null) return done(`subscription_${status}`);
    return this.cards.work(turn, { methodId: defaultMethodId, customerId, isReplaced: false });
  }

  private async churned(turn: BillingTurn, subscriptionId: string): Promise<Worked> {
    const { billing, context, clientId } = turn;
    const reading = await billing.openInvoices(context.account, { subscription: subscriptionId }, callOptions(context));
    if (reading.kind === 'not_found') return done('subscription_deleted');
    if (reading.kind !== 'found') return unread(reading);
    const rule = platformRule('subscription_deleted');
    const decision = { kind: 'cancelled' as const, endReason: 'subscription_deleted' as const, rule };
    for (const invoiceId of reading.value) {
      const recovery = await this.finder.newestOf(clientId, invoiceId);
      if (!recovery || !isOpen(recovery.state)) continue;
      // The money may have come in this very moment: it speaks first.
      const looked = await this.invoices.look(turn, recovery);
      if (looked.kind === 'again') return looked;
      const ended = await this.endings.end(recovery, decision, { subscriptionId }, context);
      if (ended === 'busy') return again('a recovery of the subscription is being worked on');
    }
    return done('subscription_deleted');
  }

  /** Without its mandate a payment method may not be debited any more. */
  async mandate(turn: BillingTurn, mandateId: string): Promise<Worked> {
    const { billing, context, clientId } = turn;
    const reading = await billing.mandate(context.account, mandateId, callOptions(context));
    if (reading.kind === 'not_found') return done('mandate_gone');
    if (reading.kind !== 'found') return unread(reading);
    const { isActive, methodId } = reading.value;
    if (isActive || methodId === null) return done('mandate_active');
    const rule = platformRule('mandate_inactive');
    const decision = { kind: 'failed' as const, endReason: 'hard_decline' as const, detail: null, rule };
    for (const recovery of await this.finder.newestOfToken(clientId, hashToken(clientId, methodId))) {
      if (!isOpen(recovery.state)) continue;
      const ended = await this.endings.end(recovery, decision, { mandateId }, context);
      if (ended === 'busy') return again('a recovery of the mandate is being worked on');
    }
    return done('mandate_inactive');
  }

  /** The access is gone already: everything stops, and nothing is asked at Stripe. */
  async deauthorised({ clientId, context }: BillingTurn): Promise<Worked> {
    await this.accounts.deauthorise(clientId, STRIPE_BILLING);
    await this.connections.deauthorised(clientId);
    const rule = platformRule('account_deauthorised');
    const decision = { kind: 'cancelled' as const, endReason: 'deauthorised' as const, rule };
    const left = await this.endings.endOpenOf(clientId, decision, context);
    if (left === 'busy') return again('a recovery is being worked on');
    return left === 'more' ? again('more are open', 0) : done('deauthorised');
  }
}
