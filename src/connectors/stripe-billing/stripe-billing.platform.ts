import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../../clients/client-directory.service.js';
import type { InboundClient } from '../../clients/gateway-webhook-secrets.service.js';
import { callOptions } from '../../engine/debt-reader.js';
import { WorkContexts } from '../../engine/work-contexts.js';
import { GatewayRegistry } from '../../gateways/registry.js';
import { BillingPlatform, type InboundRequest, type Proof } from '../billing-platform.js';
import { ConnectedAccounts } from '../connected-accounts.service.js';
import type { ClaimedEvent, InboundEvent, Worked } from '../inbound-event.js';
import { SavedCards } from '../saved-cards.js';
import { again, type BillingTurn, done, factOf, hasType, STRIPE_BILLING, unread } from './billing-turn.js';
import { CardEvents } from './card-events.js';
import { EndEvents } from './end-events.js';
import { EVENT_SUBJECTS, isKnownEvent, STRIPE_EVENTS } from './event-table.js';
import { InvoiceEvents } from './invoice-events.js';
import { PaymentEvents } from './payment-events.js';
import { readStripeEvent } from './read-event.js';
import { proveStripe } from './stripe-signature.js';

/** For all pages of a long outage together. */
const LISTING_MS = 60_000;

/** Stripe Billing: its events come in here, each is a hint, and the subject is read again before anything is decided. */
@Injectable()
export class StripeBillingPlatform extends BillingPlatform {
  readonly name = STRIPE_BILLING;

  constructor(
    private readonly contexts: WorkContexts,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly accounts: ConnectedAccounts,
    private readonly invoices: InvoiceEvents,
    private readonly payments: PaymentEvents,
    private readonly cards: CardEvents,
    private readonly ends: EndEvents,
    private readonly savedCards: SavedCards,
  ) {
    super();
  }

  override prove(request: InboundRequest, { secrets }: InboundClient, now: Date): Proof {
    return proveStripe(request, secrets, now);
  }

  override async read(bytes: Buffer, { clientId, livemode }: InboundClient): Promise<InboundEvent> {
    const accountId = await this.accounts.accountOf(clientId, STRIPE_BILLING);
    return readStripeEvent(bytes, { livemode, accountId });
  }

  override async work(events: readonly ClaimedEvent[]): Promise<Worked> {
    const [first] = events;
    if (!first) return done('nothing');
    const { clientId, subject, type } = first;
    if (!isKnownEvent(type)) return done('unknown_type');
    const context = await this.contexts.ofClient(clientId, { actor: `connector:${STRIPE_BILLING}` });
    const billing = this.gateways.billingFor(context.account);
    const tries = Math.max(...events.map((event) => event.tries));
    const turn: BillingTurn = { clientId, events, context, billing, tries };
    switch (EVENT_SUBJECTS[type]) {
      case 'invoice':
        return this.invoices.work(turn, subject);
      case 'payment':
        return this.payments.work(turn, subject);
      case 'payment_method': {
        const isReplaced = hasType(turn, 'payment_method.automatically_updated');
        return this.cards.work(turn, { methodId: subject, customerId: factOf(turn, 'customerId'), isReplaced });
      }
      case 'subscription':
        return this.ends.subscription(turn, subject);
      case 'mandate':
        return this.ends.mandate(turn, subject);
      case 'checkout_session':
        return this.session(turn, subject);
      case 'setup_intent':
        return this.saved(turn, subject);
      case 'account':
        return this.ends.deauthorised(turn);
    }
  }

  override async missed({ clientId, livemode }: InboundClient, since: Date): Promise<InboundEvent[] | null> {
    const account = await this.directory.gatewayAccount(clientId);
    const accountId = await this.accounts.accountOf(clientId, STRIPE_BILLING);
    const billing = this.gateways.billingFor(account);
    const query = { types: STRIPE_EVENTS, since };
    const listed = await billing.undelivered(account, query, { timeoutMs: LISTING_MS });
    if (listed.kind !== 'found') return null;
    const read = listed.value.map((event) =>
      readStripeEvent(Buffer.from(JSON.stringify(event)), { livemode, accountId }),
    );
    return read.reverse();
  }

  private async session(turn: BillingTurn, sessionId: string): Promise<Worked> {
    const paymentId = factOf(turn, 'paymentId');
    if (factOf(turn, 'mode') !== 'setup') {
      return paymentId === null ? done('no_recovery') : this.payments.work(turn, paymentId);
    }
    const { kind } = await this.savedCards.completed(turn.clientId, sessionId);
    return kind === 'unreadable' ? again('the gateway is silent') : done(`card_update_${kind}`);
  }

  private async saved(turn: BillingTurn, setupIntentId: string): Promise<Worked> {
    const { billing, context } = turn;
    const reading = await billing.savedMethod(context.account, setupIntentId, callOptions(context));
    if (reading.kind === 'not_found') return done('setup_gone');
    if (reading.kind !== 'found') return unread(reading);
    return reading.value === null
      ? done('nothing_saved')
      : this.cards.work(turn, { ...reading.value, isReplaced: false });
  }
}
