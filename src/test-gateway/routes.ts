import type Stripe from 'stripe';

import type { Kind } from './bodies.js';
import type { Call, Handler } from './call.js';
import { createCheckoutSession, expireCheckoutSession } from './checkout-sessions.js';
import { createCustomer, updateCustomer } from './customers.js';
import { listEvents, retrieveEvent } from './events.js';
import { payInvoice } from './invoice-paying.js';
import { finalizeInvoice, markUncollectible, voidInvoice } from './invoice-steps.js';
import { addInvoiceLines, createInvoice, createInvoiceItem, updateInvoice } from './invoices.js';
import { listOf } from './lists.js';
import {
  cancelPaymentIntent,
  capturePaymentIntent,
  confirmPaymentIntent,
  createPaymentIntent,
  updatePaymentIntent,
} from './payment-intents.js';
import {
  attachPaymentMethod,
  createPaymentMethod,
  detachPaymentMethod,
  retrievePaymentMethod,
  updatePaymentMethod,
} from './payment-methods.js';
import { createRefund } from './refunds.js';
import { ok, type Reply } from './reply.js';
import { cancelSubscription, updateSubscription } from './subscriptions.js';
import { createWebhookEndpoint, deleteWebhookEndpoint, updateWebhookEndpoint } from './webhook-endpoints.js';

type Method = 'GET' | 'POST' | 'DELETE';

/** A route that was found, with the id in its path ('' where it has none). */
export interface Match {
  handler: Handler;
  id: string;
}

const BY_CUSTOMER = { customer: 'customer_id = ?' };

/** Everything this gateway answers. A new object's calls are added here and nowhere else. */
const ROUTES: readonly [Method, string, Handler][] = [
  ['GET', '/v1/account', retrieveAccount],

  ['POST', '/v1/customers', createCustomer],
  ['GET', '/v1/customers', listOf('customer', '/v1/customers', { email: "body->>'email' = ?" })],
  ['GET', '/v1/customers/:id', retrieve('customer')],
  ['POST', '/v1/customers/:id', updateCustomer],
  ['GET', '/v1/customers/:id/payment_methods', listCustomersMethods],

  ['POST', '/v1/payment_methods', createPaymentMethod],
  [
    'GET',
    '/v1/payment_methods',
    listOf('payment_method', '/v1/payment_methods', { ...BY_CUSTOMER, type: "body->>'type' = ?" }),
  ],
  ['GET', '/v1/payment_methods/:id', retrievePaymentMethod],
  ['POST', '/v1/payment_methods/:id', updatePaymentMethod],
  ['POST', '/v1/payment_methods/:id/attach', attachPaymentMethod],
  ['POST', '/v1/payment_methods/:id/detach', detachPaymentMethod],

  ['POST', '/v1/payment_intents', createPaymentIntent],
  ['GET', '/v1/payment_intents', listOf('payment_intent', '/v1/payment_intents', BY_CUSTOMER)],
  ['GET', '/v1/payment_intents/:id', retrieve('payment_intent', 'client_secret')],
  ['POST', '/v1/payment_intents/:id', updatePaymentIntent],
  ['POST', '/v1/payment_intents/:id/confirm', confirmPaymentIntent],
  ['POST', '/v1/payment_intents/:id/cancel', cancelPaymentIntent],
  ['POST', '/v1/payment_intents/:id/capture', capturePaymentIntent],

  ['GET', '/v1/charges', listOf('charge', '/v1/charges', { ...BY_CUSTOMER, payment_intent: 'parent_id = ?' })],
  ['GET', '/v1/charges/:id', retrieve('charge')],

  ['POST', '/v1/refunds', createRefund],
  [
    'GET',
    '/v1/refunds',
    listOf('refund', '/v1/refunds', { charge: 'parent_id = ?', payment_intent: 'related_id = ?' }),
  ],
  ['GET', '/v1/refunds/:id', retrieve('refund')],
  [
    'GET',
    '/v1/disputes',
    listOf('dispute', '/v1/disputes', { charge: 'parent_id = ?', payment_intent: 'related_id = ?' }),
  ],
  ['GET', '/v1/disputes/:id', retrieve('dispute')],

  ['POST', '/v1/invoices', createInvoice],
  [
    'GET',
    '/v1/invoices',
    listOf('invoice', '/v1/invoices', {
      ...BY_CUSTOMER,
      status: "body->>'status' = ?",
      subscription: 'parent_id = ?',
    }),
  ],
  ['GET', '/v1/subscriptions', listOf('subscription', '/v1/subscriptions', BY_CUSTOMER)],
  ['GET', '/v1/subscriptions/:id', retrieve('subscription')],
  ['POST', '/v1/subscriptions/:id', updateSubscription],
  ['DELETE', '/v1/subscriptions/:id', cancelSubscription],
  ['GET', '/v1/mandates/:id', retrieve('mandate')],
  ['GET', '/v1/invoices/:id', retrieve('invoice')],
  ['POST', '/v1/invoices/:id', updateInvoice],
  ['POST', '/v1/invoices/:id/add_lines', addInvoiceLines],
  ['POST', '/v1/invoices/:id/finalize', finalizeInvoice],
  ['POST', '/v1/invoices/:id/pay', payInvoice],
  ['POST', '/v1/invoices/:id/void', voidInvoice],
  ['POST', '/v1/invoices/:id/mark_uncollectible', markUncollectible],
  ['POST', '/v1/invoiceitems', createInvoiceItem],
  ['GET', '/v1/invoiceitems/:id', retrieve('invoiceitem')],
  [
    'GET',
    '/v1/invoice_payments',
    listOf('invoice_payment', '/v1/invoice_payments', {
      invoice: 'parent_id = ?',
      status: "body->>'status' = ?",
      'payment.type': "body->'payment'->>'type' = ?",
      'payment.payment_intent': 'related_id = ?',
    }),
  ],
  ['GET', '/v1/invoice_payments/:id', retrieve('invoice_payment')],

  [
    'GET',
    '/v1/checkout/sessions',
    listOf('checkout.session', '/v1/checkout/sessions', { ...BY_CUSTOMER, payment_intent: 'related_id = ?' }),
  ],
  ['POST', '/v1/checkout/sessions', createCheckoutSession],
  ['GET', '/v1/checkout/sessions/:id', retrieve('checkout.session')],
  ['POST', '/v1/checkout/sessions/:id/expire', expireCheckoutSession],
  ['GET', '/v1/setup_intents/:id', retrieve('setup_intent', 'client_secret')],

  ['GET', '/v1/events', listEvents],
  ['GET', '/v1/events/:id', retrieveEvent],
  ['POST', '/v1/webhook_endpoints', createWebhookEndpoint],
  ['GET', '/v1/webhook_endpoints', listOf('webhook_endpoint', '/v1/webhook_endpoints', {})],
  ['GET', '/v1/webhook_endpoints/:id', retrieve('webhook_endpoint')],
  ['POST', '/v1/webhook_endpoints/:id', updateWebhookEndpoint],
  ['DELETE', '/v1/webhook_endpoints/:id', deleteWebhookEndpoint],
];

const COMPILED = ROUTES.map(([method, path, handler]) => ({ method, steps: path.split('/'), handler }));

/** The route for a method and a path, or null. */
export function findRoute(method: string, path: string): Match | null {
  const steps = path.split('/');
  for (const route of COMPILED) {
    if (route.method !== method || route.steps.length !== steps.length) continue;
    if (!route.steps.every((step, index) => step === ':id' || step === steps[index])) continue;
    const at = route.steps.indexOf(':id');
    const id = at === -1 ? '' : (steps[at] ?? '');
    // Ids are plain letters, digits and underscores: what is written otherwise is no id of ours.
    return /^\w*$/.test(id) ? { handler: route.handler, id } : null;
  }
  return null;
}

function retrieve(kind: Kind, ...taken: string[]): Handler {
  return async ({ uow, params, id }: Call) => {
    params.ignore(...taken);
    params.refuseUnknown();
    return ok((await uow.get(kind, id)).body);
  };
}

async function listCustomersMethods({ uow, params, id }: Call): Promise<Reply> {
  await uow.get('customer', id);
  const path = `/v1/customers/${id}/payment_methods`;
  const held = { sql: 'customer_id = ?', value: id };
  return listOf('payment_method', path, { type: "body->>'type' = ?" }, [held])({ uow, params, id });
}

/** Enough of an account to tell that the key works and that it may charge. */
function retrieveAccount({ uow, params }: Call): Promise<Reply> {
  params.refuseUnknown();
  const body: Pick<Stripe.Account, 'object' | 'charges_enabled' | 'payouts_enabled' | 'details_submitted'> = {
    object: 'account',
    charges_enabled: true,
    payouts_enabled: true,
    details_submitted: true,
  };
  const id = `acct_${uow.accountId.replace(/^cli_/, '')}`;
  return Promise.resolve(ok({ id, ...body, country: 'US', default_currency: 'usd', type: 'standard', email: null }));
}
