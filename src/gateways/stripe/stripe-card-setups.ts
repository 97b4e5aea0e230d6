import type Stripe from 'stripe';

import {
  CardSetups,
  type DefaultPlace,
  type DefaultRequest,
  type SetupFacts,
  type SetupRequest,
} from '../card-setups.js';
import type { CallOptions, GatewayAccount, Reading } from '../gateway.js';
import { expanded, idOf } from './map.js';
import { read, type Session, type SessionParts } from './session.js';

/** A subscription in one of these is over: it takes no card any more, and its last invoices look at the customer's. */
const ENDED = new Set<string>(['canceled', 'incomplete_expired']);

/** Checkout in setup mode. @see https://docs.stripe.com/payments/save-and-reuse */
export class StripeCardSetups extends CardSetups {
  constructor(private readonly parts: SessionParts) {
    super();
  }

  override async open(account: GatewayAccount, request: SetupRequest, options: CallOptions) {
    const reading = await read(
      this.parts,
      account,
      options,
      ({ stripe, mutation }) =>
        stripe.checkout.sessions.create(sessionParams(request), mutation(request.idempotencyKey)),
      'rejected',
    );
    if (reading.kind !== 'found') return reading;
    const { id: sessionId, url } = reading.value;
    // Hosted Checkout always has an address; a reply without one is no page that a customer could be sent to.
    return url === null ? LOST : { kind: 'found' as const, value: { sessionId, url } };
  }

  override async read(account: GatewayAccount, sessionId: string, options: CallOptions): Promise<Reading<SetupFacts>> {
    if (!/^cs_\w+$/.test(sessionId)) return { kind: 'not_found' };
    return read(this.parts, account, options, async ({ stripe, reading }) =>
      setupFacts(await stripe.checkout.sessions.retrieve(sessionId, { expand: ['setup_intent'] }, reading())),
    );
  }

  override async close(account: GatewayAccount, sessionId: string, options: CallOptions): Promise<Reading<null>> {
    return read(this.parts, account, options, async ({ stripe, reading, mutation }) => {
      const { status } = await stripe.checkout.sessions.retrieve(sessionId, {}, reading());
      if (status === 'open') await stripe.checkout.sessions.expire(sessionId, {}, mutation(`${sessionId}:expire`));
      return null;
    });
  }

  override async makeDefault(
    account: GatewayAccount,
    request: DefaultRequest,
    options: CallOptions,
  ): Promise<Reading<DefaultPlace>> {
    return read(this.parts, account, options, (session) => makeDefault(session, request), 'rejected');
  }

  override async readInvoicePage(
    account: GatewayAccount,
    invoiceId: string,
    options: CallOptions,
  ): Promise<Reading<string | null>> {
    return read(this.parts, account, options, async ({ stripe, reading }) => {
      const { hosted_invoice_url: url } = await stripe.invoices.retrieve(invoiceId, {}, reading());
      return url ?? null;
    });
  }
}

const LOST = {
  kind: 'unavailable' as const,
  cause: 'lost_reply' as const,
  message: 'the gateway made a session without an address',
  retryAfterMs: null,
};

function sessionParams({ customerId, currency, successUrl, cancelUrl, reference }: SetupRequest) {
  return {
    mode: 'setup' as const,
    customer: customerId,
    currency: currency.toLowerCase(),
    success_url: successUrl,
    cancel_url: cancelUrl,
    client_reference_id: reference,
    setup_intent_data: { metadata: { revtainCardUpdate: reference } },
    metadata: { revtainCardUpdate: reference },
  };
}

function setupFacts(session: Stripe.Checkout.Session): SetupFacts {
  const setup = expanded(session.setup_intent);
  const isSaved = session.mode === 'setup' && session.status === 'complete' && setup?.status === 'succeeded';
  return {
    sessionId: session.id,
    status: statusOf(session.status),
    customerId: idOf(session.customer),
    reference: session.client_reference_id,
    paymentMethodToken: isSaved ? idOf(setup.payment_method) : null,
  };
}

function statusOf(status: string | null): SetupFacts['status'] {
  return status === 'open' || status === 'complete' || status === 'expired' ? status : 'unmapped';
}

/**
 * An invoice is charged to its subscription's card, else to its customer's: the new card goes where the failed one was.
 * @see https://docs.stripe.com/api/subscriptions/object#subscription_object-default_payment_method
 */
async function makeDefault(session: Session, request: DefaultRequest): Promise<DefaultPlace> {
  const { stripe, mutation } = session;
  const { customerId, paymentMethodToken, idempotencyKey } = request;
  const subscription = await subscriptionWithOwnCard(session, request);
  if (subscription !== null) {
    const params = { default_payment_method: paymentMethodToken };
    await stripe.subscriptions.update(subscription, params, mutation(`${idempotencyKey}:subscription`));
    return 'subscription';
  }
  const params = { invoice_settings: { default_payment_method: paymentMethodToken } };
  await stripe.customers.update(customerId, params, mutation(`${idempotencyKey}:customer`));
  return 'customer';
}

async function subscriptionWithOwnCard({ stripe, reading }: Session, { invoiceId }: DefaultRequest) {
  if (invoiceId === null) return null;
  const { parent } = await stripe.invoices.retrieve(invoiceId, {}, reading());
  const id = idOf(parent?.subscription_details?.subscription);
  if (id === null) return null;
  const { status, default_payment_method, default_source } = await stripe.subscriptions.retrieve(id, {}, reading());
  return !ENDED.has(status) && (default_payment_method !== null || default_source !== null) ? id : null;
}
