import {
  type CallOptions,
  Gateway,
  type GatewayAccount,
  type InvoiceFacts,
  type OriginalReading,
  type PaymentFacts,
  type PaymentMethodFacts,
  type PaymentQuery,
  type Reading,
} from './gateway.js';

/** A call that would have changed something was about to be made where only looking is allowed: a bug, stopped here. */
export class MutationRefused extends Error {
  override readonly name = 'MutationRefused';

  constructor(call: string) {
    super(`${call} was asked for where nothing may be changed`);
  }
}

/** A gateway that can be looked at and not touched: what a client in mode `observe` has its reported debts worked with. */
export class ReadOnlyGateway extends Gateway {
  constructor(private readonly inner: Gateway) {
    super();
  }

  override readPaymentMethod(
    account: GatewayAccount,
    token: string,
    options: CallOptions,
  ): Promise<Reading<PaymentMethodFacts>> {
    return this.inner.readPaymentMethod(account, token, options);
  }

  override readOriginal(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<OriginalReading>> {
    return this.inner.readOriginal(account, id, options);
  }

  override readInvoice(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<InvoiceFacts>> {
    return this.inner.readInvoice(account, id, options);
  }

  override readPayment(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<PaymentFacts>> {
    return this.inner.readPayment(account, id, options);
  }

  override listPayments(
    account: GatewayAccount,
    query: PaymentQuery,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts[]>> {
    return this.inner.listPayments(account, query, options);
  }

  override isReachable(options: CallOptions): Promise<boolean> {
    return this.inner.isReachable(options);
  }

  /** @throws {MutationRefused} always. */
  override createPayment(): Promise<never> {
    return Promise.reject(new MutationRefused('createPayment'));
  }

  /** @throws {MutationRefused} always. */
  override charge(): Promise<never> {
    return Promise.reject(new MutationRefused('charge'));
  }

  /** @throws {MutationRefused} always. */
  override cancelPayment(): Promise<never> {
    return Promise.reject(new MutationRefused('cancelPayment'));
  }
}
