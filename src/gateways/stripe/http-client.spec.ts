import { createServer, type AddressInfo, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';

import { paymentIntent } from '../../../test/support/stripe-objects.js';
import { type Answer, StubStripe } from '../../../test/support/stub-stripe.js';
import { STRIPE_API_VERSION, StripeClients } from './client.js';
import { OneSendHttpClient } from './http-client.js';

describe('the one-send HTTP client under the real SDK', () => {
  let stub: StubStripe;
  let http: OneSendHttpClient;
  let stripe: Stripe;

  beforeEach(async () => {
    stub = await StubStripe.start();
    http = new OneSendHttpClient();
    stripe = new StripeClients(http).clientFor('sk_test_1', stub.url);
  });

  afterEach(async () => {
    await http.close();
    await stub.stop();
  });

  async function failureOf(answer: Answer, timeout = 2_000): Promise<Stripe.errors.StripeError> {
    stub.willAnswer(answer);
    const call = stripe.paymentIntents.confirm('pi_1', {}, { idempotencyKey: 'tx:att_1', timeout });
    const error: unknown = await call.then(
      () => new Error('it succeeded'),
      (thrown: unknown) => thrown,
    );
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }

  const error = (fields: object) => ({ error: { message: 'm', ...fields } });
  const broken: [string, Answer, string, number | undefined, string | undefined][] = [
    ['a reset', { resets: true }, 'StripeConnectionError', undefined, undefined],
    [
      'a lock timeout',
      { status: 429, body: error({ code: 'lock_timeout' }) },
      'StripeRateLimitError',
      429,
      'lock_timeout',
    ],
    [
      'a key in use',
      { status: 409, body: error({ code: 'idempotency_key_in_use' }) },
      'StripeAPIError',
      409,
      'idempotency_key_in_use',
    ],
    [
      'a 500 that asks for a retry',
      { status: 500, body: error({ type: 'api_error' }), headers: { 'stripe-should-retry': 'true' } },
      'StripeAPIError',
      500,
      undefined,
    ],
    ['a truncated body', { truncated: paymentIntent() }, 'StripeConnectionError', undefined, undefined],
    ['a page of HTML', { text: '<html>gateway</html>' }, 'StripeAPIError', undefined, undefined],
    ['HTML under a 502', { status: 502, text: '<html>bad gateway</html>' }, 'StripeAPIError', undefined, undefined],
    ['JSON that is no object', { text: 'null' }, 'StripeAPIError', undefined, undefined],
    ['a 503 without error', { status: 503, body: { message: 'upstream' } }, 'StripeAPIError', undefined, undefined],
    ['a redirect', { status: 302, body: {}, headers: { location: '/' } }, 'StripeAPIError', undefined, undefined],
  ];

  it.each(broken)('says on %s what came, and sends once', async (_name, answer, type, status, code) => {
    const failure = await failureOf(answer);
    expect([failure.type, failure.statusCode, failure.code]).toEqual([type, status, code]);
    expect(stub.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['tx:att_1']);
  });

  it('does not send again after a reset, where the SDK by itself would within half a second', async () => {
    const own = stub.url;
    const sdkAlone = new Stripe('sk_test_1', {
      host: own.hostname,
      port: own.port,
      protocol: 'http',
      maxNetworkRetries: 0,
    });
    stub.willAnswer({ resets: true }, { body: paymentIntent() });
    await sdkAlone.paymentIntents.retrieve('pi_1');
    expect(stub.seen).toHaveLength(2);
    await failureOf({ resets: true });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(stub.seen).toHaveLength(3);
  });

  it.each([
    ['nothing comes', { hangs: true }],
    ['the body stalls', { stalls: true }],
  ] as [string, Answer][])('ends at its deadline when %s', async (_name, answer) => {
    const startedMs = performance.now();
    const failure = await failureOf(answer, 300);
    const tookMs = performance.now() - startedMs;
    expect(failure.message).toBe('Request aborted due to timeout being reached (300ms)');
    expect(tookMs).toBeGreaterThanOrEqual(290);
    expect(tookMs).toBeLessThan(900);
    expect(stub.seen).toHaveLength(1);
  });

  it('gives up connecting at the same deadline', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)); // Never answers the TLS handshake.
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const nowhere = new StripeClients(http).clientFor('sk_test_1', new URL(`https://127.0.0.1:${String(port)}`));
    const startedMs = performance.now();
    await expect(nowhere.paymentIntents.retrieve('pi_1', {}, { timeout: 250 })).rejects.toThrow(/timeout/);
    expect(performance.now() - startedMs).toBeLessThan(900);
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => silent.close(resolve));
  });

  it('says that nobody listens, without a code that would make the SDK send again', async () => {
    await stub.stop();
    const failure = await failureOf({ hangs: true });
    expect(failure.detail).toHaveProperty('message', 'the connection failed (ECONNREFUSED)');
    expect(failure.detail).not.toHaveProperty('code');
    stub = await StubStripe.start();
  });

  it('reuses its connections, and takes a new one after a reset', async () => {
    const calls = 8;
    for (let call = 0; call < calls; call++) {
      stub.willAnswer({ body: paymentIntent() });
      await stripe.paymentIntents.retrieve('pi_1');
    }
    // Two and not one: a call that follows at once may come before the first socket counts as free.
    expect(new Set(stub.seen.map(({ connection }) => connection)).size).toBeLessThanOrEqual(2);
    await failureOf({ resets: true });
    stub.willAnswer({ body: paymentIntent() });
    await expect(stripe.paymentIntents.retrieve('pi_1')).resolves.toMatchObject({ id: 'pi_1' });
    expect(stub.seen).toHaveLength(calls + 2);
  });

  it('does not send a call later that was given up while it waited for a socket', async () => {
    const narrow = new OneSendHttpClient(1);
    const one = new StripeClients(narrow).clientFor('sk_test_1', stub.url);
    stub.willAnswer({ hangs: true });
    const first = one.paymentIntents.confirm('pi_1', {}, { timeout: 500 });
    const second = one.paymentIntents.confirm('pi_2', {}, { timeout: 200 });
    await expect(second).rejects.toThrow('200ms');
    await expect(first).rejects.toThrow('500ms');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(stub.seen.map(({ path }) => path)).toEqual(['/v1/payment_intents/pi_1/confirm']);
    await narrow.close();
  });

  it('sends the pinned version, the key and the form, and no telemetry', async () => {
    stub.willAnswer({ body: paymentIntent() });
    const created = await stripe.paymentIntents.create(
      { amount: 1050, currency: 'usd', metadata: { reference: 'A&B' } },
      { idempotencyKey: 'key 1' },
    );
    const [request] = stub.seen;
    expect(created.lastResponse.requestId).toBe('req_stub');
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer sk_test_1',
      'stripe-version': STRIPE_API_VERSION,
      'idempotency-key': 'key 1',
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(request?.headers).not.toHaveProperty('x-stripe-client-telemetry');
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      amount: '1050',
      currency: 'usd',
      'metadata[reference]': 'A&B',
    });
  });

  it('tells whether anything answers at an address', async () => {
    stub.willAnswer({ status: 401, text: 'no' });
    await expect(http.answers(stub.url, 1_000)).resolves.toBe(true);
    await expect(http.answers(new URL('http://127.0.0.1:1'), 1_000)).resolves.toBe(false);
  });
});

describe('the SDK clients', () => {
  it('are kept per key and address, the least recently used forgotten first', () => {
    const clients = new StripeClients(new OneSendHttpClient(), 2);
    const base = new URL('https://api.stripe.com');
    const first = clients.clientFor('sk_1', base);
    clients.clientFor('sk_2', base);
    expect(clients.clientFor('sk_1', base)).toBe(first);
    clients.clientFor('sk_3', base); // sk_2 goes: sk_1 was used since.
    expect(clients.clientFor('sk_1', base)).toBe(first);
    expect(clients.clientFor('sk_1', new URL('http://127.0.0.1:1'))).not.toBe(first);
    expect(clients.size).toBe(2);
  });
});
