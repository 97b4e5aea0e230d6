import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The cheapest possible Stripe: answers the calls of one successful charge from memory, so that a bench measures the
 * service in front of it. Both sides call this one process, each with its own secret key; it counts their calls. It takes
 * webhooks too. Prints its port when it is ready, and the counts at `GET /counts`.
 */
const CUSTOMER = 'cus_bench';
const CARD = { brand: 'visa', last4: '4242', country: 'US', exp_month: 12, exp_year: 2034 };
const WEBHOOKS = '/hook';

/** How long a call about a payment takes. */
const DELAY_MS = Number(process.env['STUB_DELAY_MS'] ?? 0);

let paymentCount = 0;
/** Secret key, then call, such as `POST /v1/payment_intents/:id/confirm`. */
const counts: Record<string, Record<string, number>> = {};

function paymentMethod(id: string): object {
  const shared = { object: 'payment_method', type: 'card', created: 1, livemode: true, metadata: {} };
  // Each token is a card of its own, as with real customers.
  return { id, ...shared, customer: CUSTOMER, card: { ...CARD, fingerprint: `fp_${id}` } };
}

function paymentIntent(id: string, params: URLSearchParams, charged: boolean): object {
  const amount = Number(params.get('amount') ?? 2500);
  const charge = {
    id: `ch_${id}`,
    object: 'charge',
    status: 'succeeded',
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    captured: true,
    created: 1,
    currency: 'usd',
    customer: CUSTOMER,
    disputed: false,
    outcome: { type: 'authorized', network_status: 'approved_by_network' },
    paid: true,
    payment_intent: id,
    payment_method_details: { type: 'card', card: CARD },
    refunded: false,
  };
  return {
    id,
    object: 'payment_intent',
    status: charged ? 'succeeded' : 'requires_payment_method',
    amount,
    amount_received: charged ? amount : 0,
    currency: 'usd',
    customer: CUSTOMER,
    capture_method: 'automatic_async',
    confirmation_method: 'automatic',
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    setup_future_usage: null,
    cancellation_reason: null,
    created: 1,
    livemode: true,
    metadata: {},
    latest_charge: charged ? charge : null,
    last_payment_error: null,
  };
}

/** Takes one call apart and answers it; null for what no successful charge asks. */
function answer(method: string, path: string, params: URLSearchParams): { call: string; body: object } | null {
  const [, , kind, id = '', action] = path.split('/');
  const call = `${method} ${path.replace(id === '' ? '\0' : id, ':id')}`;
  if (method === 'GET' && kind === 'payment_methods') return { call, body: paymentMethod(id) };
  if (kind !== 'payment_intents' || method !== 'POST') return null;
  if (id === '') return { call, body: paymentIntent(`pi_${++paymentCount}`, params, false) };
  return action === 'confirm' ? { call, body: paymentIntent(id, params, true) } : null;
}

function count(key: string, call: string): void {
  const calls = (counts[key] ??= {});
  calls[call] = (calls[call] ?? 0) + 1;
}

function respond(request: IncomingMessage, sent: string): { status: number; body: object } {
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (path === '/counts') return { status: 200, body: counts };
  if (path.startsWith(WEBHOOKS)) {
    count('webhooks', path);
    return { status: 200, body: {} };
  }
  const answered = answer(request.method ?? '', path, new URLSearchParams(sent));
  const key = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  count(key, answered?.call ?? `${request.method ?? ''} ${path}`);
  const refused = { error: { type: 'invalid_request_error', message: 'not part of a successful charge' } };
  return answered ? { status: 200, body: answered.body } : { status: 404, body: refused };
}

const server = createServer((request, response) => {
  let sent = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (sent += chunk));
  request.on('end', () => {
    const { status, body } = respond(request, sent);
    const text = JSON.stringify(body);
    const answerNow = () => {
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    };
    // Only payments are slow: what is read while debts are queued is no part of what is measured.
    if (DELAY_MS > 0 && request.url?.includes('payment_intents')) setTimeout(answerNow, DELAY_MS);
    else answerNow();
  });
});
// Both sides keep their sockets; a stub that closed them first would be a fault of its own.
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', () => process.exit(0));
