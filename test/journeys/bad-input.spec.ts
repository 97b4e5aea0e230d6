import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Answer } from '../support/api.js';
import type { Merchant } from '../support/merchant.js';
import { DAY_MS, later, seen, World } from '../support/story.js';

let world: World;
let merchant: Merchant;
let recoveryId: string;

beforeAll(async () => {
  world = await World.start();
  merchant = await world.merchant();
  recoveryId = (await merchant.execute({ originalDeclineCode: 'insufficient_funds' })).body.transactionId;
});

afterAll(async () => {
  await world.stop();
});

/** A refused request leaves no row anywhere and no charge. */
async function leavingNothing<T extends object>(call: () => Promise<Answer<T>>): Promise<Answer<T>> {
  const before = await world.rowCounts();
  const charges = await merchant.ledger();
  const answer = await call();
  expect(await world.rowCounts()).toEqual(before);
  expect(await merchant.ledger()).toEqual(charges);
  return answer;
}

const EXECUTE = '/api/recovery/execute';
const raw = (text: string | Buffer, headers: Record<string, string> = {}, path = EXECUTE) =>
  leavingNothing(() => merchant.api.call('POST', path, { raw: text, headers }));

const LONG = 'x'.repeat(256);
const FUTURE = later(new Date(), DAY_MS);
const PAST = later(new Date(), -DAY_MS);
const fields: [field: string, value: unknown, code?: string][] = [
  ['paymentMethodToken', undefined, 'missing_field'],
  ...[null, 7, '', 'pm card', 'pm_\u0007', LONG, ['pm_card_visa']].map(wrong('paymentMethodToken')),
  ['amount', undefined, 'missing_field'],
  ...[null, '2500', 0, -1, 49, 43, 25.5, 100_000_001, 1e15, true].map(wrong('amount', 'invalid_amount')),
  ...['US', 'DOLLARS', 'XXX', 'us$', 840, null].map(wrong('currency')),
  ...['', 'k'.repeat(129), 5, {}].map(wrong('idempotencyKey')),
  ...['', 'not a code', 'c'.repeat(101), 5].map(wrong('originalDeclineCode')),
  ...['', 'no code', 5].map(wrong('originalAdviceCode')),
  ...['', 'no code', 5].map(wrong('originalNetworkDeclineCode')),
  ...['', 'no code', 5].map(wrong('originalNetworkAdviceCode')),
  ...['', 'pi 1', LONG, 5].map(wrong('originalGatewayTransactionId')),
  ...['yesterday', '2026-11-21', '2026-02-30T00:00:00Z', FUTURE, later(new Date(), -91 * DAY_MS), 5].map(
    wrong('originalFailedAt'),
  ),
  ...['x', {}, [7], Array.from({ length: 101 }, () => ({ at: PAST }))].map(wrong('priorAttempts')),
  ['priorAttempts[0].at', { priorAttempts: [{}] }, 'missing_field'],
  ['priorAttempts[0].at', { priorAttempts: [{ at: 'then' }] }],
  ['priorAttempts[0].declineCode', { priorAttempts: [{ at: PAST, declineCode: 5 }] }],
  ['priorAttempts[0].color', { priorAttempts: [{ at: PAST, color: 'red' }] }, 'unknown_field'],
  ...['', LONG, 5].map(wrong('reference')),
  ...['', LONG, 5].map(wrong('customerId')),
  ...['', 'cus 1', 5].map(wrong('gatewayCustomerId')),
  ...['', 'inv_1', 5].map(wrong('invoiceId')),
  ...['pm_1', [7], [''], Array.from({ length: 6 }, () => 'pm_1')].map(wrong('fallbackPaymentMethodTokens')),
  ...['yes', 1].map(wrong('fallbackConsent')),
  ...['', 'Card!', 5].map(wrong('paymentMethodType')),
  ...['USA', 'U1', 5].map(wrong('cardOrigin')),
  ...['42424', '424242424', 'abcdef', 424242].map(wrong('binPrefix')),
  ...['', 'nobody', 5].map(wrong('customerEmail')),
  ...['standard', [], 5].map(wrong('policy')),
  ['policy.preset', { policy: { preset: 'slow' } }],
  ...[0, 9, 2.5, '4'].map(inPolicy('attemptsMax')),
  ...['soon', PAST, later(new Date(), 91 * DAY_MS)].map(inPolicy('deadlineAt')),
  ...['soon', later(new Date(), 28 * DAY_MS)].map(inPolicy('notBefore')),
  ...['Berlin', 'GMT+2', ''].map(inPolicy('timezone')),
  ...[0, 32, '1'].map(inPolicy('billingCycleDay')),
  ...['later', true].map(inPolicy('firstCharge')),
  ['policy.color', { policy: { color: 'red' } }, 'unknown_field'],
  ...['x', [], { a: 1 }, { a: 'x'.repeat(501) }, pairs(21)].map(wrong('metadata')),
  ...['win', 5].map(wrong('simulateOutcome')),
  ['color', 'red', 'unknown_field'],
  ['Amount', 2_500, 'unknown_field'],
];

function wrong(field: string, code?: string) {
  return (value: unknown): [string, unknown, string?] => (code === undefined ? [field, value] : [field, value, code]);
}

function inPolicy(field: string) {
  return (value: unknown): [string, unknown] => [`policy.${field}`, { policy: { [field]: value } }];
}

function pairs(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
}

/** A field that stands below another comes with the whole upper one. */
function bodyWith(field: string, value: unknown): Record<string, unknown> {
  return /[.[]/.test(field) ? (value as Record<string, unknown>) : { [field]: value };
}

describe('a wrong field of execute', () => {
  it.each(fields)(
    '%s = %j: 400 naming it and what is accepted, nothing stored',
    async (field, value, code = 'invalid_field') => {
      const answer = await leavingNothing(() => merchant.execute(bodyWith(field, value)));
      expect(seen(answer)).toMatchObject({ http: 400, code });
      expect(answer.body.errors).toEqual([
        { field, code, message: expect.any(String), accepted: expect.stringMatching(/\S/) },
      ]);
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    },
  );

  it('several wrong fields are all named at once', async () => {
    const answer = await leavingNothing(() => merchant.execute({ amount: 'much', currency: 'US', color: 'red' }));
    const named = (answer.body.errors as { field: string }[]).map(({ field }) => field);
    expect(named.sort()).toEqual(['amount', 'color', 'currency']);
  });

  it.each([{ currency: 'US' }, { currency: 'XXX' }, { cardOrigin: 'USA' }])(
    'a code that is refused (%j) is told that either case is taken, and it is',
    async (wrong) => {
      const answer = await leavingNothing(() => merchant.execute(wrong));
      expect(answer.body.errors).toMatchObject([{ accepted: expect.stringContaining('lower case is taken too') }]);
      const taken = await merchant.execute({ currency: 'usd', cardOrigin: 'us' });
      expect(seen(taken)).toMatchObject({ http: 200, currency: 'USD' });
    },
  );

  it.each([
    ['JPY', 49],
    ['KWD', 1_001],
    ['ISK', 150],
    ['UGX', 199],
    ['USD', 100_000_000],
  ])('%s %i: not what the gateway takes', async (currency, amount) => {
    const answer = await leavingNothing(() => merchant.execute({ currency, amount }));
    expect(seen(answer)).toMatchObject({ http: 400, code: 'invalid_amount', errors: [{ field: 'amount' }] });
  });
});

describe('a body that is no good JSON', () => {
  const body = (members: string) => `{"paymentMethodToken":"pm_card_visa","amount":2500,"currency":"USD"${members}}`;
  const nested = (depth: number) => body(`,"metadata":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
  it.each([
    ['empty', ''],
    ['cut short', '{"amount":2500'],
    ['two documents', `${body('')}{}`],
    ['a comment', body('/* no */')],
    ['a trailing comma', body(',')],
    ['single quotes', "{'amount':2500}"],
    ['a list', '[]'],
    ['a string', '"pm_card_visa"'],
    ['null', 'null'],
    ['a number', '2500'],
    ['a duplicate key', body(',"amount":2600')],
    ['a duplicate key, written otherwise', body(',"\\u0061mount":2600')],
    ['a duplicate key below', body(',"metadata":{"a":"1","a":"2"}')],
    ['__proto__', body(',"__proto__":{"amount":1}')],
    ['__proto__ below', body(',"metadata":{"__proto__":"x"}')],
    ['constructor', body(',"constructor":{"prototype":{"amount":1}}')],
    ['NUL in a value', body(',"reference":"inv\\u00001"')],
    ['NUL in a key', body(',"metadata":{"a\\u0000":"x"}')],
    ['half a character', body(',"reference":"\\ud83d"')],
    ['deep nesting', nested(50)],
    ['very deep nesting', nested(5_000)],
    ['NaN', '{"paymentMethodToken":"pm_card_visa","amount":NaN}'],
    ['a float amount', '{"paymentMethodToken":"pm_card_visa","amount":2500.5}'],
    ['a huge amount', '{"paymentMethodToken":"pm_card_visa","amount":99999999999999999999}'],
    ['an infinite amount', '{"paymentMethodToken":"pm_card_visa","amount":1e999}'],
  ])('%s: 400, nothing stored', async (_title, text) => {
    const answer = await raw(text);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ status: 400, code: expect.any(String), requestId: expect.any(String) });
  });

  it('bytes that are no UTF-8: 400', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"paymentMethodToken":"pm_'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    expect((await raw(bytes)).status).toBe(400);
  });

  it('64 KiB are taken as far as size goes, one byte more is 413', async () => {
    const head = '{"paymentMethodToken":"pm_card_visa","amount":2500,"reference":"';
    const sized = (bytes: number) => `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
    expect((await raw(sized(65_536))).status).toBe(400);
    expect(seen(await raw(sized(65_537)))).toMatchObject({ http: 413, code: 'payload_too_large' });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    '',
  ])('sent as "%s": 415', async (type) => {
    const answer = await raw('{"paymentMethodToken":"pm_card_visa","amount":2500}', { 'content-type': type });
    expect(seen(answer)).toMatchObject({ http: 415, code: 'unsupported_media_type' });
  });
});

describe('a caller', () => {
  it.each([
    ['without a key', {}],
    ['with an unknown key', { 'x-api-key': `rev_${'A'.repeat(32)}` }],
    ['with a malformed key', { 'x-api-key': 'no key' }],
    ['with an unknown bearer', { authorization: `Bearer rev_${'A'.repeat(32)}` }],
    ['with another scheme', { authorization: 'Basic cmV2Og==' }],
  ])('%s: 401, nothing stored', async (_title, headers) => {
    const answer = await leavingNothing(() =>
      merchant.api.call('POST', EXECUTE, { body: merchant.request(), headers: { 'x-api-key': '', ...headers } }),
    );
    expect(seen(answer)).toMatchObject({ http: 401, code: 'unauthorized' });
  });

  it('with a revoked key: 401 at once', async () => {
    const made = await world.operator.post(`/api/clients/${merchant.clientId}/keys`, { kind: 'secret' });
    const headers = { 'x-api-key': String(made.body.apiKey) };
    expect((await merchant.api.get('/api/recovery', headers)).status).toBe(200);
    await world.operator.call('DELETE', `/api/clients/${merchant.clientId}/keys/${String(made.body.keyId)}`);
    expect((await merchant.api.get('/api/recovery', headers)).status).toBe(401);
  });

  it.each(['publishable', 'effects'])('with a %s key: 403, it can charge nothing', async (kind) => {
    const made = await world.operator.post(`/api/clients/${merchant.clientId}/keys`, { kind });
    const headers = { 'x-api-key': String(made.body.apiKey) };
    const answer = await leavingNothing(() =>
      merchant.api.call('POST', EXECUTE, { body: merchant.request(), headers }),
    );
    expect(seen(answer)).toMatchObject({ http: 403, code: 'key_not_allowed' });
  });
});

describe('the other calls', () => {
  it.each([
    ['cancel', { reason: 'paid' }, 'reason'],
    ['cancel', {}, 'reason'],
    ['cancel', { reason: 'abandoned', color: 'red' }, 'color'],
    ['payment-method', {}, 'paymentMethodToken'],
    ['payment-method', { paymentMethodToken: 5 }, 'paymentMethodToken'],
    ['retry', { force: true }, 'force'],
    ['resolve', { outcome: 'maybe', evidence: { note: 'x' } }, 'outcome'],
    ['resolve', { outcome: 'not_executed' }, 'evidence'],
    ['resolve', { outcome: 'not_executed', evidence: { note: 'seen', color: 'red' } }, 'evidence.color'],
  ])('%s with %j: 400 naming %s', async (command, body, field) => {
    const answer = await leavingNothing(() => merchant.api.post(`/api/recovery/${recoveryId}/${command}`, body));
    expect(seen(answer)).toMatchObject({ http: 400, errors: [{ field }] });
    expect(await merchant.status(recoveryId)).toMatchObject({ state: 'queued' });
  });

  it.each([
    ['/api/recovery/pulse', { amount: 0, currency: 'USD' }, 'amount'],
    ['/api/recovery/pulse', { amount: 100, currency: 'XXX' }, 'currency'],
    ['/api/sandbox/clock', {}, 'advanceTo'],
    ['/api/sandbox/clock', { advanceTo: 'soon' }, 'advanceTo'],
    ['/api/recovery/execute/batch', {}, 'items'],
    ['/api/recovery/execute/batch', { items: [] }, 'items'],
  ])('%s with %j: 400 naming %s', async (path, body, field) => {
    const answer = await leavingNothing(() => merchant.api.post(path, body));
    expect(seen(answer)).toMatchObject({ http: 400, errors: [{ field }] });
  });

  it.each(['GET', 'PUT', 'DELETE'] as const)('%s where there is no such call: 404 or 405', async (method) => {
    expect([404, 405]).toContain((await merchant.api.call(method, '/api/recovery/execute/nothing')).status);
  });
});
