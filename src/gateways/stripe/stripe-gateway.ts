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
import { sendCharge } from './charge.js';
import type { OneSendHttpClient } from './http-client.js';
import { paymentFacts, paymentMethodFacts } from './map.js';
import { readInvoiceFacts, readPaymentFacts, resolveOriginal } from './original.js';
import { listPaymentFacts } from './payments-list.js';
import { openSession, read, refusalOf, type SessionParts } from './session.js';

/** Waited while the gateway has no address: it is a process of ours that is just starting. */
const NO_ADDRESS_RETRY_MS = 2_000;

/**
 * Stripe through its official SDK, and everything that speaks its protocol. It creates unconfirmed payments, confirms
 * them, pays invoices, cancels payments of ours and reads; it has no way to give money back or to void an invoice.
 * @see https://docs.stripe.com/api
 */
export class StripeGateway extends Gateway {
  constructor(
    private readonly parts: SessionParts,
    private readonly httpClient: OneSendHttpClient,
  ) {
    super();
  }

  override async readPaymentMethod(
    account: GatewayAccount,
    token: string,
    options: CallOptions,
  ): Promise<Reading<PaymentMethodFacts>> {
    if (!/^\w+$/.test(token)) return { kind: 'not_found' }; // No Stripe id has another character.
    return await read(this.parts, account, options, async ({ stripe, reading }) =>
      paymentMethodFacts(await stripe.paymentMethods.retrieve(token, {}, reading()), token),
    );
  }

  override async readOriginal(
    account: GatewayAccount,
    id: string,
    options: CallOptions,
  ): Promise<Reading<OriginalReading>> {
    const answer = await read(this.parts, account, options, (session) => resolveOriginal(session, id));
    if (answer.kind !== 'found') return answer;
    return answer.value === null ? { kind: 'not_found' } : { kind: 'found', value: answer.value };
  }

  override async readInvoice(
    account: GatewayAccount,
    invoiceId: string,
    options: CallOptions,
  ): Promise<Reading<InvoiceFacts>> {
    if (!/^in_\w+$/.test(invoiceId)) return { kind: 'not_found' };
    return await read(this.parts, account, options, (session) => readInvoiceFacts(session, invoiceId));
  }

  override async readPayment(
    account: GatewayAccount,
    paymentId: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    if (!/^pi_\w+$/.test(paymentId)) return { kind: 'not_found' };
    return await read(this.parts, account, options, (session) => readPaymentFacts(session, paymentId, null));
  }

  override async createPayment(
    account: GatewayAccount,
    request: CreatePaymentRequest,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    const params = {
      amount: request.amountMinor,
      currency: request.currency.toLowerCase(),
      metadata: { ...request.metadata },
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' as const },
      ...(request.customerId === null ? {} : { customer: request.customerId }),
    };
    return await read(
      this.parts,
      account,
      options,
      async ({ stripe, mutation }) =>
        paymentFacts(await stripe.paymentIntents.create(params, mutation(request.idempotencyKey)), null),
      'rejected',
    );
  }

  override async charge(account: GatewayAccount, request: ChargeRequest, options: CallOptions): Promise<ChargeResult> {
    const refused = refusalOf(this.parts, account);
    if (refused) return refused;
    const session = openSession(this.parts, account, options);
    if (session) return await sendCharge(session, request, this.parts.scopeOf);
    return { kind: 'back_off', retryAfterMs: NO_ADDRESS_RETRY_MS, code: null, keyInUse: false };
  }

  override async cancelPayment(
    account: GatewayAccount,
    paymentId: string,
    idempotencyKey: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>> {
    return await read(this.parts, account, options, async ({ stripe, mutation }) =>
      paymentFacts(
        await stripe.paymentIntents.cancel(paymentId, { expand: ['latest_charge'] }, mutation(idempotencyKey)),
        null,
      ),
    );
  }

  override async listPayments(
    account: GatewayAccount,
    query: PaymentQuery,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts[]>> {
    return await read(this.parts, account, options, (session) => listPaymentFacts(session, query));
  }

  override async isReachable({ timeoutMs }: CallOptions): Promise<boolean> {
    const address = this.parts.addressOf();
    return address !== null && (await this.httpClient.answers(address, timeoutMs));
  }
}
