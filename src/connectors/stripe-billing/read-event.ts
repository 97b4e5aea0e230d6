import { createHash } from 'node:crypto';

import type { Facts, InboundEvent } from '../inbound-event.js';
import { EVENT_SUBJECTS, isKnownEvent, type SubjectKind } from './event-table.js';

type Tree = Readonly<Record<string, unknown>>;

/** Who the events should come from. */
export interface Expected {
  livemode: boolean;
  /** The connected account; null where the client's own key is used, whose events name none. */
  accountId: string | null;
}

/**
 * Reads a proven body down to ids, codes and amounts, in the shape of today and in that of before 2025-03-31.basil: an
 * event keeps the version that its endpoint was made with. Never throws.
 * @see https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
 */
export function readStripeEvent(bytes: Buffer, expected: Expected): InboundEvent {
  const event = parsed(bytes);
  const eventId = event && textAt(event, 'id');
  if (!event || !eventId) return unreadable(bytes);
  const type = codeAt(event, 'type') ?? 'none';
  const object = treeAt(treeAt(event, 'data'), 'object') ?? {};
  const account = textAt(event, 'account');
  const kept = (subject: string, facts: Facts, ignored: string | null): InboundEvent => ({
    eventId,
    type,
    subject,
    facts,
    ignored,
  });
  if (!isKnownEvent(type)) return kept('none', {}, 'unknown_type');
  if (event['livemode'] !== expected.livemode) return kept('none', {}, 'other_mode');
  if ((account ?? null) !== expected.accountId) return kept('none', {}, 'foreign_account');
  const facts = { ...factsOf(EVENT_SUBJECTS[type], object), ...ownKey(event) };
  const subject = subjectOf(EVENT_SUBJECTS[type], facts);
  return subject === null ? kept('none', {}, 'no_subject') : kept(subject, facts, null);
}

function parsed(bytes: Buffer): Tree | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isTree(value) ? value : null;
  } catch {
    return null;
  }
}

/** Signed, and no event: kept once under what it is, so that it can be counted. */
function unreadable(bytes: Buffer): InboundEvent {
  const eventId = `unreadable_${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}`;
  return { eventId, type: 'none', subject: 'none', facts: {}, ignored: 'unreadable' };
}

/** Events of one invoice or payment are worked in one turn; a payment of the old shape names its invoice itself. */
function subjectOf(kind: SubjectKind, facts: Facts): string | null {
  const names: Readonly<Record<SubjectKind, readonly string[]>> = {
    invoice: ['invoiceId'],
    payment: ['paymentId', 'chargeId'],
    payment_method: ['methodId'],
    subscription: ['subscriptionId'],
    mandate: ['mandateId'],
    checkout_session: ['sessionId'],
    setup_intent: ['setupIntentId'],
    account: [],
  };
  if (kind === 'account') return 'account';
  const found = names[kind].map((name) => facts[name]).find((value) => typeof value === 'string');
  return typeof found === 'string' ? found : null;
}

function factsOf(kind: SubjectKind, object: Tree): Facts {
  switch (kind) {
    case 'invoice':
      return invoiceFacts(object);
    case 'payment':
      return paymentFacts(object);
    case 'payment_method':
      return cardFacts(object);
    case 'subscription':
      return clean({
        subscriptionId: textAt(object, 'id'),
        customerId: idAt(object, 'customer'),
        status: codeAt(object, 'status'),
        methodId: idAt(object, 'default_payment_method'),
      });
    case 'mandate':
      return clean({
        mandateId: textAt(object, 'id'),
        methodId: idAt(object, 'payment_method'),
        status: codeAt(object, 'status'),
      });
    case 'checkout_session':
      return clean({
        sessionId: textAt(object, 'id'),
        mode: codeAt(object, 'mode'),
        setupIntentId: idAt(object, 'setup_intent'),
        paymentId: idAt(object, 'payment_intent'),
        customerId: idAt(object, 'customer'),
      });
    case 'setup_intent':
      return clean({
        setupIntentId: textAt(object, 'id'),
        methodId: idAt(object, 'payment_method'),
        customerId: idAt(object, 'customer'),
      });
    case 'account':
      return {};
  }
}

function invoiceFacts(object: Tree): Facts {
  const parent = treeAt(treeAt(object, 'parent'), 'subscription_details');
  return clean({
    invoiceId: textAt(object, 'id'),
    customerId: idAt(object, 'customer'),
    subscriptionId: idAt(object, 'subscription') ?? idAt(parent, 'subscription'),
    paymentId: idAt(object, 'payment_intent') ?? paymentOfInvoice(object),
    chargeId: idAt(object, 'charge'),
    status: codeAt(object, 'status'),
    attemptCount: numberAt(object, 'attempt_count'),
    nextAttempt: numberAt(object, 'next_payment_attempt'),
    amountRemaining: numberAt(object, 'amount_remaining'),
  });
}

/** The new shape lists an invoice's payments, where the event holds them at all. */
function paymentOfInvoice(invoice: Tree): string | undefined {
  const list: unknown = treeAt(invoice, 'payments')?.['data'];
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  const entry = entries.filter(isTree).find((each) => each['is_default'] === true) ?? entries.find(isTree);
  return idAt(treeAt(entry, 'payment'), 'payment_intent');
}

/** A PaymentIntent, a charge or a dispute: all of them are about one payment. */
function paymentFacts(object: Tree): Facts {
  const kind = textAt(object, 'object');
  const isCharge = kind === 'charge';
  const isIntent = kind === 'payment_intent';
  return clean({
    paymentId: isIntent ? textAt(object, 'id') : idAt(object, 'payment_intent'),
    chargeId: isCharge ? textAt(object, 'id') : (idAt(object, 'charge') ?? idAt(object, 'latest_charge')),
    invoiceId: idAt(object, 'invoice'),
    customerId: idAt(object, 'customer'),
    status: codeAt(object, 'status'),
    transactionId: textAt(treeAt(object, 'metadata'), 'revtainTransactionId'),
    disputed: kind === 'dispute' ? true : undefined,
    amountRefunded: numberAt(object, 'amount_refunded'),
    ...(isCharge && object['status'] === 'failed' ? failedChargeFacts(object) : {}),
  });
}

/** What the networks' limits count: a failed charge never changes, so that its event is as good as a reading. */
function failedChargeFacts(charge: Tree): Readonly<Record<string, string | number | undefined>> {
  const outcome = treeAt(charge, 'outcome');
  const card = treeAt(treeAt(charge, 'payment_method_details'), 'card');
  return {
    failedAt: numberAt(charge, 'created'),
    amount: numberAt(charge, 'amount'),
    currency: codeAt(charge, 'currency'),
    methodId: idAt(charge, 'payment_method'),
    fingerprint: textAt(card, 'fingerprint'),
    networkDeclineCode: codeAt(outcome, 'network_decline_code'),
    networkAdviceCode: codeAt(outcome, 'network_advice_code'),
    reachedNetwork: codeAt(outcome, 'network_status'),
  };
}

function cardFacts(object: Tree): Facts {
  const card = treeAt(object, 'card');
  return clean({
    methodId: textAt(object, 'id'),
    customerId: idAt(object, 'customer'),
    fingerprint: textAt(card, 'fingerprint'),
    expMonth: numberAt(card, 'exp_month'),
    expYear: numberAt(card, 'exp_year'),
  });
}

/** `<transaction id>:<attempt id>`: the engine's own call brought it about. */
function ownKey(event: Tree): Facts {
  const key = treeAt(event, 'request')?.['idempotency_key'];
  return typeof key === 'string' && /^[0-9A-Z]{26}:[\w:]{1,200}$/.test(key) ? { ownKey: key } : {};
}

function clean(facts: Readonly<Record<string, string | number | boolean | undefined>>): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Facts;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function treeAt(tree: Tree | undefined, name: string): Tree | undefined {
  const value = tree?.[name];
  return isTree(value) ? value : undefined;
}

/** An id or a fingerprint; anything else is left out, so that nothing but ids gets into the table. */
function textAt(tree: Tree | undefined, name: string): string | undefined {
  const value = tree?.[name];
  return typeof value === 'string' && /^[\w-]{1,255}$/.test(value) ? value : undefined;
}

function codeAt(tree: Tree | undefined, name: string): string | undefined {
  const value = tree?.[name];
  return typeof value === 'string' && /^[\w.-]{1,100}$/.test(value) ? value : undefined;
}

/** An id, or the id of an expanded object. */
function idAt(tree: Tree | undefined, name: string): string | undefined {
  return textAt(tree, name) ?? textAt(treeAt(tree, name), 'id');
}

function numberAt(tree: Tree | undefined, name: string): number | undefined {
  const value = tree?.[name];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
