import {
  type CallOptions,
  type ChargeRequest,
  type ChargeResult,
  type CreatePaymentRequest,
  Gateway,
  type GatewayAccount,
  type InvoiceFacts,
  type OriginalReading,
  type PaymentFacts,
  type PaymentMethodFacts,
  type PaymentQuery,
  type Reading,
} from '../gateway.js';
import type { Priority } from './account-gate.js';
import type { AccountGates } from './account-gates.js';

/** A turn is waited for so long at most, and never longer than half of what the call itself may take. */
const TURN_WAIT_MAX_MS = 10_000;
const OF_ONE_CHARGE: readonly (string | null)[] = ['lock_timeout', null];

/**
 * A gateway whose calls first pass their account's gate. One that gets no turn in time answers as if the gateway's own limiter
 * had spoken: nothing was sent, and the engine comes again.
 */
export class LimitedGateway extends Gateway {
  constructor(
    private readonly gateway: Gateway,
    private readonly gates: AccountGates,
    private readonly priority: Priority,
  ) {
    super();
  }

  override readPaymentMethod(
    account: GatewayAccount,
    token: string,
    options: CallOptions,
  ): Promise<Reading<PaymentMethodFacts>> {
    return this.read('payment_methods', account, options, (rest) =>
      this.gateway.readPaymentMethod(account, token, rest),
    );
  }

  override readOriginal(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<OriginalReading>> {
    return this.read('originals', account, options, (rest) => this.gateway.readOriginal(account, id, rest));
  }

  override readInvoice(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<InvoiceFacts>> {
    return this.read('invoices', account, options, (rest) => this.gateway.readInvoice(account, id, rest));
  }

  override readPayment(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<PaymentFacts>> {
    return this.read('payments', account, options, (rest) => this.gateway.readPayment(account, id, rest));
  }

  override createPayment(
    account: GatewayAccount,
    request: CreatePaymentRequest,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    return this.read('create', account, options, (rest) => this.gateway.createPayment(account, request, rest));
  }

  override async charge(account: GatewayAccount, request: ChargeRequest, options: CallOptions): Promise<ChargeResult> {
    const endpoint = request.target.kind === 'invoice' ? 'pay' : 'confirm';
    const passed = await this.pass(endpoint, account, options, (rest) => this.gateway.charge(account, request, rest));
    if (passed.kind === 'refused') {
      return { kind: 'back_off', retryAfterMs: passed.retryAfterMs, code: 'rate_limit', keyInUse: false };
    }
    const { answer } = passed;
    // A key in use and a locked payment are about this charge, and without a code nobody has spoken.
    const isAccounts = answer.kind === 'back_off' && !answer.keyInUse && !OF_ONE_CHARGE.includes(answer.code);
    if (isAccounts) this.gates.of(account).pause(answer.retryAfterMs);
    return answer;
  }

  override cancelPayment(
    account: GatewayAccount,
    paymentId: string,
    idempotencyKey: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    const cancel = (rest: CallOptions) => this.gateway.cancelPayment(account, paymentId, idempotencyKey, rest);
    return this.read('cancel', account, options, cancel);
  }

  override listPayments(
    account: GatewayAccount,
    query: PaymentQuery,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts[]>> {
    return this.read('list', account, options, (rest) => this.gateway.listPayments(account, query, rest));
  }

  override isReachable(options: CallOptions): Promise<boolean> {
    return this.gateway.isReachable(options);
  }

  private async read<T>(
    endpoint: string,
    account: GatewayAccount,
    options: CallOptions,
    call: (rest: CallOptions) => Promise<Reading<T>>,
  ): Promise<Reading<T>> {
    const passed = await this.pass(endpoint, account, options, call);
    if (passed.kind === 'refused') {
      const message = 'the account has no call left for now';
      return { kind: 'unavailable', cause: 'rate_limited', message, retryAfterMs: passed.retryAfterMs };
    }
    const { answer } = passed;
    if (answer.kind === 'unavailable' && answer.cause === 'rate_limited') {
      this.gates.of(account).pause(answer.retryAfterMs ?? 0);
    }
    return answer;
  }

  /** The deadline of the call covers the wait for its turn. */
  private async pass<T>(
    endpoint: string,
    account: GatewayAccount,
    { timeoutMs }: CallOptions,
    call: (rest: CallOptions) => Promise<T>,
  ): Promise<{ kind: 'passed'; answer: T } | { kind: 'refused'; retryAfterMs: number }> {
    const gate = this.gates.of(account);
    const startedMs = this.gates.nowMs();
    const retryAfterMs = await gate.pass(endpoint, this.priority, Math.min(timeoutMs / 2, TURN_WAIT_MAX_MS));
    if (retryAfterMs !== null) return { kind: 'refused', retryAfterMs };
    try {
      const leftMs = Math.max(1, Math.floor(timeoutMs - (this.gates.nowMs() - startedMs)));
      return { kind: 'passed', answer: await call({ timeoutMs: leftMs }) };
    } finally {
      gate.done();
    }
  }
}
