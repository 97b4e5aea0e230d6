import type {
  CardFacts,
  InvoiceFacts,
  OriginalReading,
  PaymentMethodFacts,
  Reading,
  Unavailable,
} from '../gateways/gateway.js';
import { joinSignals } from '../recovery/decline.js';
import {
  decideInvoice,
  decideOriginal,
  type DebtFacts,
  type OriginalDecision,
  type ReadingTime,
} from '../recovery/original.js';
import { mainZoneOf } from '../recovery/policy.js';
import { debtFacts, openBeside } from './debt-facts.js';
import { newestChargeOf } from './payment-object.js';
import { withPriorCode } from './prior-attempts.js';
import type { Recovery } from './recovery.js';
import { hintsOf } from './transition.js';

/** A reading that refuses the request: 400 at acceptance, the end of the recovery when it could only be read later. */
export interface Refusal {
  field: string;
  code: string;
  message: string;
  accepted: string;
}

/** What was read at acceptance; null where there was nothing to read. */
export interface DebtReadings {
  method: Reading<PaymentMethodFacts>;
  original: Reading<OriginalReading> | null;
  invoice: Reading<InvoiceFacts> | null;
}

/** `silent` and `account`: the gateway told nothing; the debt is accepted all the same. */
export type Understood =
  | { kind: 'silent'; cause: Unavailable }
  | { kind: 'account'; refusal: Extract<Reading<never>, { kind: 'account_refused' }> }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'read'; recovery: Recovery; decision: OriginalDecision | null; failedCard: CardFacts | null };

/** What the readings say about the request, and about what would be charged. Pure. */
export function understand(recovery: Recovery, readings: DebtReadings, when: ReadingTime): Understood {
  const { method, original, invoice } = readings;
  for (const reading of [method, original, invoice]) {
    if (reading?.kind === 'account_refused') return { kind: 'account', refusal: reading };
    if (reading?.kind === 'unavailable') return { kind: 'silent', cause: reading };
  }
  const refusal = methodRefusal(recovery, method) ?? (invoice && invoiceRefusal(invoice));
  if (refusal) return { kind: 'refused', refusal };
  const known = withMethod(recovery, method.kind === 'found' ? method.value : null);
  const failed = original?.kind === 'found' ? original.value : null;
  const read = withPriorCode(withOriginal(known, failed));
  const facts = {
    ...debtFacts(read),
    madeByUs: false,
    checkoutOwned: failed?.checkoutOwned ?? false,
    uncollectibleAtFirst: true,
  };
  const failedCard =
    (failed && newestChargeOf(failed.original)?.card) ??
    (invoice?.kind === 'found' ? newestChargeOf(invoice.value)?.card : null) ??
    null;
  if (original && !failed) {
    const decision = decideOriginal({ kind: 'not_found' }, facts, when);
    return { kind: 'read', recovery: read, decision, failedCard };
  }
  const ownInvoice = invoice?.kind === 'found' ? invoice.value : null;
  const beside = ownInvoice && failed ? besideInvoice(ownInvoice, failed.original, facts, when) : null;
  if (ownInvoice && beside)
    return { kind: 'read', recovery: withInvoice(read, ownInvoice), decision: beside, failedCard };
  if (ownInvoice) {
    return {
      kind: 'read',
      recovery: withInvoice(read, ownInvoice),
      decision: decideInvoice(ownInvoice, facts, when),
      failedCard,
    };
  }
  const found = failed?.original ?? null;
  const owing = found?.kind === 'invoice' ? withInvoice(read, found) : read;
  return { kind: 'read', recovery: owing, decision: found && decideOriginal(found, facts, when), failedCard };
}

/**
 * What an original that is not the invoice's own says about paying the invoice; null when it does not stand in the way.
 * Paid, running, held or taken back it speaks first; still open, nothing is paid beside it.
 */
function besideInvoice(
  invoice: InvoiceFacts,
  original: OriginalReading['original'],
  facts: DebtFacts,
  when: ReadingTime,
): OriginalDecision | null {
  if (original.kind === 'invoice' && original.id === invoice.id) return null;
  const decision = decideOriginal(original, facts, when);
  if (decision.kind === 'create_new') return null;
  if (decision.kind !== 'adopt' && decision.kind !== 'charge_invoice') return decision;
  return openBeside(decision.kind === 'adopt' ? decision.paymentId : decision.invoiceId, invoice.id);
}

function methodRefusal(recovery: Recovery, method: Reading<PaymentMethodFacts>): Refusal | null {
  if (method.kind === 'not_found' || method.kind === 'rejected') {
    return {
      field: 'paymentMethodToken',
      code: 'invalid_field',
      message: 'the gateway knows no such payment method',
      accepted: "the gateway's own token of a payment method of this account",
    };
  }
  const owner = method.kind === 'found' ? method.value.customerId : null;
  if (owner !== null && recovery.gatewayCustomerId !== null && owner !== recovery.gatewayCustomerId) {
    return {
      field: 'gatewayCustomerId',
      code: 'invalid_field',
      message: 'is not the customer of this payment method',
      accepted: 'the customer that the payment method is attached to, or nothing',
    };
  }
  return null;
}

function invoiceRefusal(invoice: Reading<InvoiceFacts>): Refusal | null {
  if (invoice.kind !== 'not_found' && invoice.kind !== 'rejected') return null;
  return {
    field: 'invoiceId',
    code: 'original_transaction_not_found',
    message: 'the gateway knows no such invoice',
    accepted: 'an invoice of this account, such as in_…',
  };
}

function withMethod(recovery: Recovery, method: PaymentMethodFacts | null): Recovery {
  const gatewayCustomerId = recovery.gatewayCustomerId ?? method?.customerId ?? null;
  const zone = mainZoneOf(method?.card?.country ?? null);
  const policy =
    recovery.hints.zoneOpen === true && zone !== null ? { ...recovery.policy, timezone: zone } : recovery.policy;
  const brand = method?.card?.brand ?? null;
  const said = recovery.originalSignals;
  return {
    ...recovery,
    policy,
    gatewayCustomerId,
    // A raw network code means nothing without its network: 43 is a stolen card on Visa.
    originalSignals: said && { ...said, brand: said.brand ?? brand },
    card: method?.card ?? null,
    cardFingerprint: method?.card?.fingerprint ?? null,
    tokenReusable: gatewayCustomerId !== null,
    hints:
      method && !recovery.hints.paymentMethodType
        ? { ...recovery.hints, paymentMethodType: method.type }
        : recovery.hints,
  };
}

/** What the failed charge tells: when and how it failed, and which object is the debt's. */
function withOriginal(recovery: Recovery, reading: OriginalReading | null): Recovery {
  if (!reading) return recovery;
  const { original, failedAt } = reading;
  const resolved = original.kind === 'charge' ? original.charge.id : original.id;
  const lastAttemptAt = recovery.originalFailedAt ?? failedAt ?? recovery.lastAttemptAt;
  const signals = joinSignals(recovery.originalSignals, reading.signals, hintsOf(recovery));
  return {
    ...recovery,
    originalResolved: resolved,
    debtName: recovery.invoiceId ?? recovery.reference ?? resolved,
    originalSignals: signals,
    lastAttemptAt,
    anchorAt: lastAttemptAt ?? recovery.anchorAt,
  };
}

function withInvoice(recovery: Recovery, invoice: InvoiceFacts): Recovery {
  return {
    ...recovery,
    invoiceId: invoice.id,
    debtName: invoice.id,
    originalResolved: recovery.originalGatewayTransactionId === null ? null : (recovery.originalResolved ?? invoice.id),
    paymentObjectId: invoice.id,
    paymentObjectKind: 'invoice',
    gatewayCustomerId: invoice.customerId ?? recovery.gatewayCustomerId,
    wasUncollectible: invoice.status === 'uncollectible',
  };
}

export function withOriginalDecision(recovery: Recovery, decision: OriginalDecision | null): Recovery {
  // What the customer must authenticate is read from then on, so that their payment is seen.
  if (decision?.kind !== 'adopt' && decision?.kind !== 'action_required') return recovery;
  if (recovery.paymentObjectKind === 'invoice') return recovery;
  const ours = recovery.paymentObjectId === decision.paymentId && recovery.paymentIsOurs;
  return { ...recovery, paymentObjectId: decision.paymentId, paymentObjectKind: 'payment', paymentIsOurs: ours };
}

/** True when the gateway's card is another or a newer one than the one that failed. */
export function isNewer(card: CardFacts | null, before: CardFacts | null): boolean {
  if (!card || !before) return false;
  if (card.fingerprint !== null && before.fingerprint !== null && card.fingerprint !== before.fingerprint) return true;
  return monthsOf(card) > monthsOf(before) && monthsOf(before) > 0;
}

/** True when a method that was charged before has another card behind it now, as far as is known. */
export function isRenewed(card: CardFacts | null, before: CardFacts | null): boolean {
  return card !== null && (before === null || isNewer(card, before));
}

function monthsOf(card: CardFacts): number {
  return card.expYear === null || card.expMonth === null ? 0 : card.expYear * 12 + card.expMonth;
}
