import { Injectable } from '@nestjs/common';

import { callOptions } from '../../engine/debt-reader.js';
import { hashToken } from '../../engine/fallback-tokens.js';
import type { Recovery } from '../../engine/recovery.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import { isRenewed } from '../../engine/understanding.js';
import type { CardFacts } from '../../gateways/gateway.js';
import { DomainError } from '../../platform/http/domain-error.js';
import { isOpen } from '../../recovery/lifecycle.js';
import { SteeringService } from '../../recoveries/steering.service.js';
import type { Worked } from '../inbound-event.js';
import { TRIES_MAX } from '../inbox-schedule.js';
import { again, type BillingTurn, done, STRIPE_BILLING, unread } from './billing-turn.js';

/** A card is attached first and made the default in a second call: that is waited for so many tries. */
const WAITED_FOR_TRIES = 5;
/** A charge on the wire decides first, and a lost one is settled a minute after its loss at the earliest. */
const UNKNOWN_WAITED_FOR_TRIES = TRIES_MAX;

/** A card that a customer, or the card network, has given. */
export interface NewCard {
  methodId: string;
  customerId: string | null;
  /** The same method with another card behind it: told by the network. */
  isReplaced: boolean;
}

/**
 * A new card retries what is owed at once: if it is the one that the invoice will use, another card than the one that
 * failed, and nothing is unknown. It goes the way of a merchant's own `/payment-method`, with the same guards.
 */
@Injectable()
export class CardEvents {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly steering: SteeringService,
  ) {}

  async work(turn: BillingTurn, card: NewCard): Promise<Worked> {
    const now = turn.context.now();
    const owed = (await this.recoveriesOf(turn, card)).filter((recovery) => isWaitingForCard(recovery, card, now));
    if (owed.length === 0) return done('nothing_owed');
    if (turn.context.client.mode === 'observe') return done('observed');
    const { gateway, account } = turn.context;
    const read = await gateway.readPaymentMethod(account, card.methodId, callOptions(turn.context));
    if (read.kind === 'not_found') return done('method_gone');
    if (read.kind !== 'found') return unread(read);
    const outcomes: Worked[] = [];
    for (const recovery of owed) outcomes.push(await this.retry(turn, card, read.value.card, recovery));
    return outcomes.find(({ kind }) => kind === 'again') ?? outcomes[0] ?? done('nothing_owed');
  }

  private async recoveriesOf({ clientId }: BillingTurn, card: NewCard): Promise<Recovery[]> {
    const ofCustomer = card.customerId === null ? [] : await this.finder.newestOfCustomer(clientId, card.customerId);
    const ofToken = await this.finder.newestOfToken(clientId, hashToken(clientId, card.methodId));
    const known = new Set(ofCustomer.map(({ id }) => id));
    return [...ofCustomer, ...ofToken.filter(({ id }) => !known.has(id))];
  }

  private async retry(turn: BillingTurn, card: NewCard, facts: CardFacts | null, recovery: Recovery): Promise<Worked> {
    if (!isOtherCard(recovery, card, facts)) return done('same_card');
    // The merchant itself has said which method is charged: that is the one.
    return isReported(recovery) ? this.retryInvoice(turn, card, recovery) : this.payWith(turn, card, recovery);
  }

  private async retryInvoice(turn: BillingTurn, card: NewCard, recovery: Recovery): Promise<Worked> {
    const { billing, context } = turn;
    const reading = await billing.invoice(context.account, recovery.invoiceId ?? '', callOptions(context));
    if (reading.kind === 'not_found') return done('invoice_gone');
    if (reading.kind !== 'found') return unread(reading);
    if (reading.value.status !== 'open') return done(`invoice_${reading.value.status}`);
    if (reading.value.methodId !== card.methodId) {
      return turn.tries < WAITED_FOR_TRIES ? again('it is not the invoice’s card yet') : done('not_the_invoices_card');
    }
    return this.payWith(turn, card, recovery);
  }

  private async payWith(turn: BillingTurn, card: NewCard, recovery: Recovery): Promise<Worked> {
    const { clientId, context } = turn;
    try {
      const commander = { clientId, settings: context.client, actor: `connector:${STRIPE_BILLING}` };
      await this.steering.payWith(commander, recovery.id, card.methodId, () => null);
      return done('retried_on_new_card');
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const isPassing = error.code === 'outcome_unknown' || error.code === 'gateway_unreadable';
      return isPassing && turn.tries < UNKNOWN_WAITED_FOR_TRIES ? again(error.code) : done(`refused_${error.code}`);
    }
  }
}

function isReported({ hints, invoiceId }: Recovery): boolean {
  return hints.platform !== undefined && invoiceId !== null;
}

/**
 * A debt that another card may pay, and that no person has to look at first: a reported one, and in its own time one that
 * the merchant wants charged to this very method, where the network has renewed it (docs/behaviour.md 6).
 */
function isWaitingForCard(recovery: Recovery, { methodId, isReplaced }: NewCard, now: Date): boolean {
  const { clientId, tokenHash, deadlineAt, simulateOutcome, state, advice } = recovery;
  const isItsOwn = isReplaced && tokenHash.equals(hashToken(clientId, methodId)) && deadlineAt > now;
  if (!isReported(recovery) && !(isItsOwn && simulateOutcome === null)) return false;
  if (isOpen(state)) return true;
  return (state === 'failed' || state === 'blocked') && advice.recommendedAction !== 'manual_review';
}

/** Another fingerprint than the one that failed. The same method is another card only where the network says so. */
function isOtherCard(recovery: Recovery, { methodId, isReplaced }: NewCard, card: CardFacts | null): boolean {
  const isSameMethod = recovery.tokenHash.equals(hashToken(recovery.clientId, methodId));
  if (isSameMethod) return isReplaced && isRenewed(card, recovery.card);
  // No fingerprint is known of a bank account: another method is another account.
  return card === null || recovery.cardFingerprint !== card.fingerprint;
}
