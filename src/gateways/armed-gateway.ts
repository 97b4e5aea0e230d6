import type { Failpoints } from '../platform/failpoints/failpoints.js';
import {
  Gateway,
  type CallOptions,
  type ChargeRequest,
  type ChargeResult,
  type CreatePaymentRequest,
  type GatewayAccount,
  type PaymentQuery,
  type Reading,
} from './gateway.js';

const CUT = 'the wire was cut at a failpoint';

/** A gateway with a failpoint around each call that the engine makes: `gateway.` and its method. */
export class ArmedGateway extends Gateway {
  constructor(
    private readonly inner: Gateway,
    private readonly failpoints: Failpoints,
  ) {
    super();
  }

  override readPaymentMethod(account: GatewayAccount, token: string, options: CallOptions) {
    return this.reading('readPaymentMethod', account, () => this.inner.readPaymentMethod(account, token, options));
  }

  override readOriginal(account: GatewayAccount, id: string, options: CallOptions) {
    return this.reading('readOriginal', account, () => this.inner.readOriginal(account, id, options));
  }

  override readInvoice(account: GatewayAccount, invoiceId: string, options: CallOptions) {
    return this.reading('readInvoice', account, () => this.inner.readInvoice(account, invoiceId, options));
  }

  override readPayment(account: GatewayAccount, paymentId: string, options: CallOptions) {
    return this.reading('readPayment', account, () => this.inner.readPayment(account, paymentId, options));
  }

  override createPayment(account: GatewayAccount, request: CreatePaymentRequest, options: CallOptions) {
    return this.reading('createPayment', account, () => this.inner.createPayment(account, request, options));
  }

  override cancelPayment(account: GatewayAccount, paymentId: string, idempotencyKey: string, options: CallOptions) {
    const cancel = () => this.inner.cancelPayment(account, paymentId, idempotencyKey, options);
    return this.reading('cancelPayment', account, cancel);
  }

  override listPayments(account: GatewayAccount, query: PaymentQuery, options: CallOptions) {
    return this.reading('listPayments', account, () => this.inner.listPayments(account, query, options));
  }

  override charge(account: GatewayAccount, request: ChargeRequest, options: CallOptions): Promise<ChargeResult> {
    const lost = () => Promise.resolve({ kind: 'unknown' as const, loss: 'lost_reply' as const, message: CUT });
    const charge = () => this.inner.charge(account, request, options);
    return this.through<ChargeResult>('charge', account, charge, lost);
  }

  override isReachable(options: CallOptions): Promise<boolean> {
    return this.inner.isReachable(options);
  }

  private reading<T>(method: string, account: GatewayAccount, read: () => Promise<Reading<T>>): Promise<Reading<T>> {
    const unread = () =>
      Promise.resolve({ kind: 'unavailable' as const, cause: 'lost_reply' as const, message: CUT, retryAfterMs: null });
    return this.through<Reading<T>>(method, account, read, unread);
  }

  /** Real money is never played with, whatever is armed. */
  private through<T>(method: string, account: GatewayAccount, call: () => Promise<T>, cut: () => Promise<T>) {
    if (/^[sr]k_live_/.test(account.secretKey)) return call();
    return this.failpoints.through(`gateway.${method}`, [account.clientId], call, { before: cut, after: cut });
  }
}
