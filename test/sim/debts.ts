import type { ExecuteRequest } from '../../src/execute/execute-request.js';
import type { CardFacts } from '../../src/gateways/gateway.js';
import { NO_SIGNALS } from '../../src/recovery/payment-looks.js';
import type { Dice } from './dice.js';
import type { FaultName, Faults } from './faults.js';
import type { Bank } from './gateway/bank.js';
import type { Answer, Invoice, Method, Payment } from './gateway/objects.js';

/** One thing that a customer owes, as the story and the invariants know it, whatever recoveries there are of it. */
export interface Debt {
  index: number;
  clientId: string;
  gatewayCustomerId: string;
  amountMinor: number;
  currency: string;
  invoice: Invoice | null;
  original: Payment | null;
  /** Methods that the merchant has ever given for it. */
  methods: Method[];
  request: ExecuteRequest;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Codes with which the failed charge is told, and how often. */
const ORIGINAL_CODES: readonly (readonly [number, string | undefined])[] = [
  [30, undefined],
  [24, 'insufficient_funds'],
  [14, 'do_not_honor'],
  [8, 'processing_error'],
  [5, 'gateway_timeout'],
  [4, 'card_velocity_exceeded'],
  [3, 'expired_card'],
  [2, 'fraudulent'],
  [2, 'lost_card'],
  [2, 'duplicate_transaction'],
  [0.5, 'authentication_required'],
  [4, 'zz_9'],
];

const SOFT_CODES = ['insufficient_funds', 'do_not_honor', 'generic_decline', 'processing_error', 'try_again_later'];
const HARD_CODES = ['expired_card', 'incorrect_number', 'invalid_account'];
const NEVER_CODES = ['stolen_card', 'lost_card', 'fraudulent', 'pickup_card'];
const WAITING_ADVICE = ['24', '25', '26', '27'];

/** Draws what the customers of one world owe. */
export class DebtMaker {
  constructor(
    private readonly dice: Dice,
    private readonly faults: Faults,
    private readonly bank: Bank,
    /** One card for all debts: what a network's limits are for. */
    private readonly sharedCard: CardFacts | null,
  ) {}

  make(index: number, clientId: string, nowMs: number): Debt {
    const { dice } = this;
    const gatewayCustomerId = `cus_${this.sharedCard ? 0 : index}`;
    // Of one amount on one card, a network counts all charges together.
    const amountMinor = this.sharedCard ? 1_000 : 1_000 + index * 100;
    const currency = dice.weighted([
      [8, 'USD'],
      [2, 'EUR'],
    ] as const);
    const method = this.method(`pm_${index}`, gatewayCustomerId, this.sharedCard ?? this.card(index));
    const owed = { amountMinor, currency, customerId: gatewayCustomerId };
    const kind = dice.weighted([
      [5, 'reference'],
      [3, 'invoice'],
      [2, 'original'],
      [2, 'original_and_reference'],
      [1, 'nameless'],
    ] as const);
    const invoice = kind === 'invoice' ? this.bank.addInvoice(owed) : null;
    const original = kind.startsWith('original') ? this.failedPayment(owed, method, nowMs) : null;
    const names = {
      ...(invoice ? { invoiceId: invoice.id } : {}),
      ...(original ? { originalGatewayTransactionId: original.id } : {}),
      ...(kind === 'reference' || kind === 'original_and_reference' ? { reference: `order_${index}` } : {}),
    };
    const request = this.request(index, method, { amountMinor, currency }, nowMs, names, gatewayCustomerId);
    return { index, clientId, gatewayCustomerId, amountMinor, currency, invoice, original, methods: [method], request };
  }

  /** Another card of the same customer. */
  anotherMethod(debt: Debt, name: string): Method {
    const method = this.method(`pm_${debt.index}_${name}`, debt.gatewayCustomerId, this.card(`${debt.index}_${name}`));
    debt.methods.push(method);
    return method;
  }

  private request(
    index: number,
    method: Method,
    { amountMinor, currency }: { amountMinor: number; currency: string },
    nowMs: number,
    names: Partial<ExecuteRequest>,
    gatewayCustomerId: string,
  ): ExecuteRequest {
    const { dice } = this;
    const originalDeclineCode = dice.weighted(ORIGINAL_CODES);
    const failedAt = new Date(nowMs - dice.between(0, 5 * 24) * HOUR_MS).toISOString();
    const withFallback = dice.chance(0.15);
    // Without the customer's consent nothing else is charged.
    const fallbackConsent = dice.chance(0.8);
    const fallback = withFallback
      ? this.method(`pm_${index}_spare`, gatewayCustomerId, this.card(`${index}_spare`))
      : null;
    return {
      paymentMethodToken: method.token,
      amount: amountMinor,
      currency,
      customerId: `customer_${dice.between(0, 3)}`,
      ...names,
      ...(originalDeclineCode === undefined ? {} : { originalDeclineCode }),
      ...(dice.chance(0.3) ? { originalFailedAt: failedAt } : {}),
      ...(fallback ? { fallbackPaymentMethodTokens: [fallback.token], fallbackConsent } : {}),
      ...(dice.chance(0.5) ? { policy: this.policy(nowMs) } : {}),
      metadata: { debt: String(index) },
    };
  }

  private policy(nowMs: number): NonNullable<ExecuteRequest['policy']> {
    const { dice } = this;
    const deadlineAt = new Date(nowMs + dice.between(2, 40) * DAY_MS).toISOString();
    return {
      preset: dice.pick(['standard', 'fast', 'fast', 'patient'] as const),
      ...(dice.chance(0.4) ? { attemptsMax: dice.between(1, 8) } : {}),
      ...(dice.chance(0.3) ? { deadlineAt } : {}),
      ...(dice.chance(0.3) ? { firstCharge: dice.pick(['now', 'scheduled'] as const) } : {}),
      ...(dice.chance(0.2) ? { timezone: dice.pick(['America/New_York', 'Asia/Tokyo', 'Australia/Lord_Howe']) } : {}),
    };
  }

  private method(token: string, customerId: string, card: CardFacts): Method {
    const method: Method = { token, type: 'card', customerId, card, answers: this.answers(card) };
    this.bank.methods.set(token, method);
    return method;
  }

  private card(name: string | number): CardFacts {
    const { dice } = this;
    const brand = dice.weighted([
      [5, 'visa'],
      [4, 'mastercard'],
      [1, 'amex'],
    ] as const);
    const country = dice.weighted([
      [6, 'US'],
      [2, 'GB'],
      [2, 'DE'],
      [0.05, 'IN'],
    ] as const);
    return { brand, last4: '4242', fingerprint: `fp_${name}`, country, expMonth: 12, expYear: 2030 };
  }

  /** What a card answers to a payment, charge after charge. */
  private answers(card: CardFacts): Answer[] {
    const { dice } = this;
    const soft = () => this.declined(dice.pick(SOFT_CODES), card);
    const softs = (least: number, most: number) => Array.from({ length: dice.between(least, most) }, soft);
    return dice.weighted<() => Answer[]>([
      [20, () => [{ kind: 'ok' }]],
      [30, () => [...softs(1, 3), { kind: 'ok' }]],
      [22, () => softs(1, 4)],
      [5, () => [...softs(0, 2), this.declined(dice.pick(HARD_CODES), card)]],
      [5, () => [...softs(0, 2), this.declined(dice.pick(NEVER_CODES), card)]],
      [1.5, () => [...softs(0, 1), this.unlessOff('gateway_asks_authentication', { kind: 'action' })]],
      [6, () => [...softs(0, 1), this.unlessOff('gateway_charge_at_bank', this.debit()), ...softs(0, 1)]],
      [1, () => [...softs(0, 1), this.unlessOff('gateway_holds_money', { kind: 'hold' })]],
    ])();
  }

  private unlessOff(name: FaultName, answer: Answer): Answer {
    return this.faults.isOff(name) ? { kind: 'ok' } : answer;
  }

  private debit(): Answer {
    return { kind: 'bank', endsWell: this.dice.chance(0.7), afterMs: this.dice.between(1, 10 * 24) * HOUR_MS };
  }

  private declined(declineCode: string, { brand }: CardFacts): Answer {
    const { dice } = this;
    const networkAdviceCode = brand === 'mastercard' && dice.chance(0.2) ? dice.pick(WAITING_ADVICE) : null;
    const signals = {
      ...NO_SIGNALS,
      declineCode,
      brand,
      networkDeclineCode: networkAdviceCode === null ? null : '51',
      networkAdviceCode,
      adviceCode: dice.chance(0.02) ? 'do_not_try_again' : null,
    };
    return { kind: 'decline', signals, ...(dice.chance(0.1) ? { leavesNoCharge: true as const } : {}) };
  }

  /** The payment that failed before the merchant came to us. */
  private failedPayment(
    owed: { amountMinor: number; currency: string; customerId: string },
    method: Method,
    nowMs: number,
  ): Payment {
    const signals = { ...NO_SIGNALS, declineCode: 'insufficient_funds', brand: method.card?.brand ?? null };
    const atMs = nowMs - this.dice.between(1, 72) * HOUR_MS;
    const id = this.bank.nextId('ch');
    return this.bank.addPayment({
      ...owed,
      createdAtMs: atMs,
      charge: { id, status: 'failed', atMs, signals, refunded: false, method },
      lastError: { signals, requestLogUrl: this.bank.nextId('req'), chargeId: id },
    });
  }
}
