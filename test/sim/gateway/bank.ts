import type { ChargeRequest, ChargeResult, CreatePaymentRequest } from '../../../src/gateways/gateway.js';
import { findDeclineRow } from '../../../src/recovery/tables.js';
import type { Timeline } from '../timeline.js';
import { isPayable, type Answer, type Invoice, type LedgerEntry, type Method, type Payment } from './objects.js';

/** What stands behind all processes' calls: payments, invoices, cards, and a ledger of what moved. */
export class Bank {
  readonly payments = new Map<string, Payment>();
  readonly invoices = new Map<string, Invoice>();
  readonly methods = new Map<string, Method>();
  readonly ledger: LedgerEntry[] = [];
  /** Told of each entry as it is made. */
  onEntry: (entry: LedgerEntry) => void = () => undefined;
  private made = 0;

  constructor(private readonly timeline: Timeline) {}

  nextId(prefix: string): string {
    return `${prefix}_${(++this.made).toString(36).padStart(6, '0')}`;
  }

  addPayment(fields: Pick<Payment, 'amountMinor' | 'currency' | 'customerId'> & Partial<Payment>): Payment {
    const payment: Payment = {
      id: this.nextId('pi'),
      status: 'requires_payment_method',
      invoiceId: null,
      captureMethod: 'automatic',
      allowsRedirects: false,
      cancellationReason: null,
      createdAtMs: this.timeline.nowMs,
      metadata: {},
      charge: null,
      lastError: null,
      answered: new Map(),
      ...fields,
    };
    this.payments.set(payment.id, payment);
    return payment;
  }

  addInvoice(fields: { amountMinor: number; currency: string; customerId: string }): Invoice {
    const id = this.nextId('in');
    const payment = this.addPayment({ ...fields, invoiceId: id });
    const invoice: Invoice = {
      id,
      status: 'open',
      remainingMinor: fields.amountMinor,
      currency: fields.currency,
      customerId: fields.customerId,
      createdAtMs: this.timeline.nowMs,
      raisedAtMs: null,
      payment,
    };
    this.invoices.set(id, invoice);
    return invoice;
  }

  create({ amountMinor, currency, customerId, metadata }: CreatePaymentRequest): Payment {
    return this.addPayment({ amountMinor, currency, customerId, metadata, allowsRedirects: false });
  }

  /** Executes one charge now, whoever still listens. */
  charge(request: ChargeRequest): ChargeResult {
    const { target } = request;
    if (target.kind === 'payment') {
      const payment = this.payments.get(target.paymentId);
      return payment ? this.confirm(payment, request) : refused(404, 'resource_missing');
    }
    const invoice = this.invoices.get(target.invoiceId);
    if (!invoice) return refused(404, 'resource_missing');
    if (invoice.status === 'paid') return refused(400, 'invoice_payment_intent_already_paid');
    if (invoice.status !== 'open' && invoice.status !== 'uncollectible') return refused(400, 'invoice_not_editable');
    invoice.payment.amountMinor = invoice.remainingMinor;
    return this.confirm(invoice.payment, request);
  }

  /** The customer pays, on-session. False where there is nothing to pay any more. */
  payByCustomer(payment: Payment): boolean {
    const invoice = payment.invoiceId === null ? null : this.invoices.get(payment.invoiceId);
    const isOpen = !invoice || invoice.status === 'open' || invoice.status === 'uncollectible';
    if (!isPayable(payment) || !isOpen) return false;
    this.collect(payment, null, null);
    return true;
  }

  cancel(payment: Payment, reason: string | null): boolean {
    if (!isPayable(payment) && payment.status !== 'requires_capture') return false;
    payment.status = 'canceled';
    payment.cancellationReason = reason;
    return true;
  }

  /** What the next charge of this payment by this method answers. */
  answerOf(payment: Payment, method: Method): Answer {
    const count = payment.answered.get(method.token) ?? 0;
    payment.answered.set(method.token, count + 1);
    const answer = method.answers[Math.min(count, method.answers.length - 1)];
    if (!answer) throw new Error(`${method.token} has no answers`);
    return answer;
  }

  private confirm(payment: Payment, { paymentMethodToken, idempotencyKey: key }: ChargeRequest): ChargeResult {
    const method = this.methods.get(paymentMethodToken);
    if (!method) return refused(400, 'resource_missing');
    if (!isPayable(payment)) return refused(400, 'payment_intent_unexpected_state');
    const answer = this.answerOf(payment, method);
    const paymentId = payment.id;
    switch (answer.kind) {
      case 'ok':
        return { kind: 'succeeded', paymentId, chargeId: this.collect(payment, method, key) };
      case 'decline':
        return this.decline(payment, method, key, answer);
      case 'bank':
        return this.atBank(payment, method, key, answer);
      case 'action':
        payment.status = 'requires_action';
        this.note(payment, 'action', method, key);
        return { kind: 'requires_action', paymentId };
      case 'hold':
        payment.status = 'requires_capture';
        this.note(payment, 'held', method, key);
        return { kind: 'requires_capture', paymentId };
    }
  }

  /** Answers the charge's id. */
  private collect(payment: Payment, method: Method | null, key: string | null): string {
    const id = this.nextId('ch');
    const atMs = this.timeline.nowMs;
    payment.status = 'succeeded';
    payment.charge = { id, status: 'succeeded', atMs, signals: null, refunded: false, method };
    const invoice = payment.invoiceId === null ? null : this.invoices.get(payment.invoiceId);
    if (invoice) {
      invoice.status = 'paid';
      invoice.remainingMinor = 0;
    }
    this.note(payment, 'succeeded', method, key);
    return id;
  }

  private decline(payment: Payment, method: Method, key: string, answer: Answer & { kind: 'decline' }): ChargeResult {
    const { signals } = answer;
    const atMs = this.timeline.nowMs;
    const chargeId = answer.leavesNoCharge ? null : this.nextId('ch');
    payment.status = 'requires_payment_method';
    if (chargeId !== null) payment.charge = { id: chargeId, status: 'failed', atMs, signals, refunded: false, method };
    payment.lastError = { signals, requestLogUrl: this.nextId('req'), chargeId };
    this.note(payment, 'declined', method, key, signals);
    return { kind: 'declined', signals, paymentId: payment.id, chargeId, message: null };
  }

  /** A bank debit: under way for days, and then there or returned. */
  private atBank(payment: Payment, method: Method, key: string, answer: Answer & { kind: 'bank' }): ChargeResult {
    const charge = { id: this.nextId('ch'), signals: null, refunded: false, method };
    payment.status = 'processing';
    payment.charge = { ...charge, status: 'pending', atMs: this.timeline.nowMs };
    this.note(payment, 'pending', method, key);
    this.timeline.plan(this.timeline.nowMs + answer.afterMs, () => {
      if (answer.endsWell) this.collect(payment, method, key);
      else this.decline(payment, method, key, { kind: 'decline', signals: RETURNED });
    });
    return { kind: 'pending', paymentId: payment.id };
  }

  private note(
    payment: Payment,
    outcome: LedgerEntry['outcome'],
    method: Method | null,
    key: string | null,
    signals: LedgerEntry['signals'] = null,
  ): void {
    const { id: paymentId, invoiceId, amountMinor, currency } = payment;
    const atMs = this.timeline.nowMs;
    const entry = { atMs, outcome, key, paymentId, invoiceId, amountMinor, currency, method, signals };
    this.ledger.push(entry);
    this.onEntry(entry);
  }
}

const RETURNED = {
  declineCode: 'insufficient_funds',
  errorCode: null,
  adviceCode: null,
  networkDeclineCode: 'R01',
  networkAdviceCode: null,
  brand: null,
};

function refused(status: number, code: string): ChargeResult {
  const known = findDeclineRow(code, 'error_code') !== null;
  return { kind: 'read_first', known, status, code, param: null, message: code, requestId: null };
}
