import { Injectable } from '@nestjs/common';

import { Looking } from '../../engine/looking.js';
import type { Recovery } from '../../engine/recovery.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import { ExecuteService } from '../../execute/execute.service.js';
import type { ExecuteRequest } from '../../execute/execute-request.js';
import type { BilledInvoice } from '../../gateways/stripe/billing.js';
import { callOptions } from '../../engine/debt-reader.js';
import { DomainError } from '../../platform/http/domain-error.js';
import { isOpen } from '../../recovery/lifecycle.js';
import type { Worked } from '../inbound-event.js';
import { OperatorWord } from '../operator-word.js';
import { again, type BillingTurn, done, hasType, STRIPE_BILLING, unread } from './billing-turn.js';
import { CardStopsAfterReversal } from './reversals.js';
import { decideInvoiceEvent } from './invoice-decision.js';

/** Events about an invoice: a failure opens a recovery, everything else makes the recovery look at its debt. */
@Injectable()
export class InvoiceEvents {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly looking: Looking,
    private readonly execute: ExecuteService,
    private readonly reversals: CardStopsAfterReversal,
    private readonly operator: OperatorWord,
  ) {}

  async work(turn: BillingTurn, invoiceId: string): Promise<Worked> {
    const { clientId, context, billing } = turn;
    const newest = await this.finder.newestOf(clientId, invoiceId);
    // Its own look reads the invoice: nothing is read twice.
    if (newest) {
      await this.tellRetriesOn(turn, newest);
      return this.look(turn, newest);
    }
    const isFailure = hasType(turn, 'invoice.payment_failed', 'invoice.payment_action_required');
    if (!isFailure) return done('no_recovery');
    const reading = await billing.invoice(context.account, invoiceId, callOptions(context));
    if (reading.kind === 'not_found') return done('invoice_gone');
    if (reading.kind !== 'found') return unread(reading);
    const step = decideInvoiceEvent(reading.value, false, isFailure);
    return step.kind === 'open' ? this.open(turn, reading.value, step.token) : done(reasonOf(step));
  }

  /** Where Stripe's automations decide, its next attempt is told by `invoice.updated` alone, after the failure. */
  private async tellRetriesOn({ events, context }: BillingTurn, recovery: Recovery): Promise<void> {
    if (context.client.mode !== 'recover' || recovery.hints.platform === undefined || !isOpen(recovery.state)) return;
    const nowSeconds = context.now().getTime() / 1_000;
    const isAhead = events.some(
      ({ facts }) => typeof facts['nextAttempt'] === 'number' && facts['nextAttempt'] > nowSeconds,
    );
    if (isAhead) await this.operator.retriesOn(context.client.id);
  }

  /** Lets a recovery look at its debt; it is the recovery that decides. */
  async look(turn: BillingTurn, recovery: Recovery): Promise<Worked> {
    const looked = await this.looking.look(recovery, turn.context);
    switch (looked.kind) {
      case 'busy':
        return again('the recovery is being worked on');
      case 'unread':
        return again('the gateway is silent');
      case 'reversed':
        return this.reversals.after(looked, turn);
      case 'looked':
        return done(`looked_${looked.recovery.state}`);
    }
  }

  private async open(turn: BillingTurn, invoice: BilledInvoice, token: string | null): Promise<Worked> {
    const { client } = turn.context;
    try {
      const reported = { platform: STRIPE_BILLING, hasMethod: token !== null };
      const opened = await this.execute.acceptReported(client, requestFor(invoice, token), reported);
      if (client.mode === 'recover' && invoice.nextAttemptAt !== null) await this.operator.retriesOn(client.id);
      return done(`opened_${opened.state}`);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      // Another event of the same failure, or the merchant's own execute, was faster: next time it is found.
      return error.status === 409 ? again(error.code) : done(`refused_${error.code}`);
    }
  }
}

function reasonOf(step: ReturnType<typeof decideInvoiceEvent>): string {
  return step.kind === 'nothing' ? step.why : 'known';
}

/** The invoice named as the original: one reading tells what is owed, and how and when its payment failed. */
function requestFor(invoice: BilledInvoice, token: string | null): ExecuteRequest {
  const { id, amountRemainingMinor: amount, currency, customerId, subscription } = invoice;
  return {
    paymentMethodToken: token ?? 'none',
    amount,
    currency,
    reference: id,
    invoiceId: id,
    originalGatewayTransactionId: id,
    ...(customerId === null ? {} : { customerId }),
    ...(subscription === null ? {} : { metadata: { stripeSubscription: subscription.id } }),
  };
}
