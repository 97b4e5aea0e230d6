import {
  Gateway,
  type AccountRefused,
  type CallOptions,
  type ChargeRequest,
  type ChargeResult,
  type CreatePaymentRequest,
  type GatewayAccount,
  type InvoiceFacts,
  type OriginalReading,
  type PaymentFacts,
  type PaymentMethodFacts,
  type PaymentQuery,
  type Reading,
  type Unavailable,
} from '../../../src/gateways/gateway.js';
import type { Faults } from '../faults.js';
import type { Inhabitant } from '../timeline.js';
import type { Bank } from './bank.js';
import type { ChargingDesk } from './charging-desk.js';
import { KeyStore } from './key-store.js';
import { invoiceFacts, paymentFacts, type Payment } from './objects.js';
import type { Wire } from './wire.js';

/** What all processes share of one gateway: its state, its memory of keys, and whom it lets in. */
export class GatewayHouse {
  readonly creations = new KeyStore<Reading<PaymentFacts>>();
  readonly cancels = new KeyStore<Reading<PaymentFacts>>();
  /** Clients whose credentials it refuses, and until when. */
  readonly refusedUntilMs = new Map<string, number>();

  constructor(
    readonly bank: Bank,
    readonly desk: ChargingDesk,
    readonly wire: Wire,
    readonly faults: Faults,
    readonly nowMs: () => number,
  ) {}

  refusal(clientId: string): AccountRefused | null {
    if ((this.refusedUntilMs.get(clientId) ?? 0) <= this.nowMs()) return null;
    this.faults.note('gateway_refuses_account');
    return { kind: 'account_refused', status: 401, code: 'api_key_expired', message: 'expired', requestId: null };
  }
}

const LOST: Unavailable = { kind: 'unavailable', cause: 'lost_reply', message: 'lost', retryAfterMs: null };
const BROKEN: Unavailable = { kind: 'unavailable', cause: 'received_5xx', message: '500', retryAfterMs: null };
const LIMITED: Unavailable = { kind: 'unavailable', cause: 'rate_limited', message: '429', retryAfterMs: 1_000 };

/** One process's way to the gateway. */
export class GatewayPort extends Gateway {
  constructor(
    private readonly house: GatewayHouse,
    private readonly process: Inhabitant,
  ) {
    super();
  }

  override readPaymentMethod(
    account: GatewayAccount,
    token: string,
    options: CallOptions,
  ): Promise<Reading<PaymentMethodFacts>> {
    return this.reading(account, options, () => {
      const method = this.house.bank.methods.get(token);
      if (!method) return { kind: 'not_found' };
      const { type, customerId, card } = method;
      return { kind: 'found', value: { token, type, customerId, card } };
    });
  }

  override readOriginal(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<OriginalReading>> {
    return this.reading(account, options, () => {
      const payment = this.house.bank.payments.get(id);
      const invoice = this.house.bank.invoices.get(payment?.invoiceId ?? id);
      const original = invoice ? invoiceFacts(invoice) : payment && this.shown(payment);
      if (!original) return { kind: 'not_found' };
      const paid = invoice?.payment ?? payment;
      const failedAt = paid?.charge?.status === 'failed' ? new Date(paid.charge.atMs) : null;
      const signals = paid?.lastError?.signals ?? null;
      return { kind: 'found', value: { original, checkoutOwned: false, failedAt, signals } };
    });
  }

  override readInvoice(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<InvoiceFacts>> {
    return this.reading(account, options, () => {
      const invoice = this.house.bank.invoices.get(id);
      return invoice ? { kind: 'found', value: invoiceFacts(invoice) } : { kind: 'not_found' };
    });
  }

  override readPayment(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<PaymentFacts>> {
    return this.reading(account, options, () => {
      const payment = this.house.bank.payments.get(id);
      return payment ? { kind: 'found', value: this.shown(payment) } : { kind: 'not_found' };
    });
  }

  override createPayment(
    account: GatewayAccount,
    request: CreatePaymentRequest,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    const { idempotencyKey: key, ...parameters } = request;
    return this.keyed(account, options, this.house.creations, key, JSON.stringify(parameters), () => ({
      kind: 'found',
      value: paymentFacts(this.house.bank.create(request), false),
    }));
  }

  override cancelPayment(
    account: GatewayAccount,
    id: string,
    key: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    return this.keyed(account, options, this.house.cancels, key, id, () => {
      const payment = this.house.bank.payments.get(id);
      if (!payment) return { kind: 'not_found' };
      if (this.house.bank.cancel(payment, null)) return { kind: 'found', value: paymentFacts(payment, false) };
      const code = 'payment_intent_unexpected_state';
      return { kind: 'rejected', status: 400, code, param: null, message: code, requestId: null };
    });
  }

  override listPayments(
    account: GatewayAccount,
    query: PaymentQuery,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts[]>> {
    return this.reading(account, options, () => {
      const found = [...this.house.bank.payments.values()].filter(
        (each) =>
          each.customerId === query.customerId &&
          each.createdAtMs >= query.since.getTime() &&
          each.amountMinor === query.amountMinor &&
          each.currency === query.currency,
      );
      return { kind: 'found', value: found.map((each) => paymentFacts(each, true)) };
    });
  }

  override isReachable(): Promise<boolean> {
    return Promise.resolve(true);
  }

  override charge(account: GatewayAccount, request: ChargeRequest, options: CallOptions): Promise<ChargeResult> {
    const { wire, desk } = this.house;
    const lost: ChargeResult = { kind: 'unknown', loss: 'lost_reply', message: 'lost' };
    let isTurnedAway = false;
    let isIn = false;
    return wire.send<ChargeResult>(this.process, options.timeoutMs, lost, (reply, isCopy) => {
      // A proxy repeats what had no answer: both of a pair are let in, or none.
      if (isCopy && isTurnedAway) return;
      const refusal = isIn ? null : (this.house.refusal(account.clientId) ?? this.limited());
      if (refusal === null) {
        isIn = true;
        return desk.receive(request, reply);
      }
      if (!isCopy) isTurnedAway = true;
      reply(refusal);
    });
  }

  /** The limiter speaks before anything is executed. */
  private limited(): ChargeResult | null {
    const { faults } = this.house;
    if (!faults.happens('gateway_rate_limited')) return null;
    return { kind: 'back_off', retryAfterMs: faults.between(0, 8_000), code: 'rate_limit', keyInUse: false };
  }

  /** A reading may say what this version of the product does not know. */
  private shown(payment: Payment): PaymentFacts {
    const facts = paymentFacts(payment, false);
    return this.house.faults.happens('gateway_status_unmapped') ? { ...facts, status: 'unmapped' } : facts;
  }

  private reading<T>(
    { clientId }: GatewayAccount,
    { timeoutMs }: CallOptions,
    read: () => Reading<T>,
  ): Promise<Reading<T>> {
    const { faults, wire } = this.house;
    return wire.send<Reading<T>>(this.process, timeoutMs, LOST, (reply) => {
      const refusal = this.house.refusal(clientId);
      if (refusal) return reply(refusal);
      if (faults.happens('gateway_rate_limited')) return reply(LIMITED);
      reply(faults.happens('gateway_5xx_not_executed') ? BROKEN : read());
    });
  }

  private keyed(
    account: GatewayAccount,
    options: CallOptions,
    keys: KeyStore<Reading<PaymentFacts>>,
    key: string,
    fingerprint: string,
    execute: () => Reading<PaymentFacts>,
  ): Promise<Reading<PaymentFacts>> {
    return this.reading(account, options, () => {
      const said = keys.begin(key, fingerprint, this.house.nowMs());
      if (said.kind === 'replay') return said.reply;
      if (said.kind !== 'new') {
        return { kind: 'rejected', status: 400, code: 'idempotency_error', param: null, message: key, requestId: null };
      }
      const reply = execute();
      keys.end(key, reply);
      return this.house.faults.happens('gateway_5xx_executed') ? BROKEN : reply;
    });
  }
}
