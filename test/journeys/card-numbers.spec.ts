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

const PAST = later(new Date(), -DAY_MS);

describe('a card number', () => {
  const CARD = '4242424242424242';
  const fieldsOfText = [
    ...['paymentMethodToken', 'idempotencyKey', 'originalDeclineCode', 'originalAdviceCode', 'reference', 'customerId'],
    ...['originalGatewayTransactionId', 'gatewayCustomerId', 'invoiceId', 'paymentMethodType', 'binPrefix'],
    ...['customerEmail', 'currency', 'color'],
  ];

  it.each(fieldsOfText)('in %s: 400 naming the field, not stored, not logged, not echoed', async (field) => {
    await expectRefused({ [field]: CARD }, field);
  });

  it.each([
    ['metadata.note', { metadata: { note: `card ${CARD} please` } }],
    ['policy.timezone', { policy: { timezone: CARD } }],
    ['priorAttempts[0].declineCode', { priorAttempts: [{ at: PAST, declineCode: CARD }] }],
    ['fallbackPaymentMethodTokens[0]', { fallbackPaymentMethodTokens: [CARD] }],
    ['reference', { reference: '4242 4242-4242 4242' }],
    ['reference', { reference: '378282246310005' }],
    ['amount', { amount: 4_242_424_242_424_242 }],
  ])('in %s (%j): 400 naming the field', async (field, send) => {
    await expectRefused(send, field);
  });

  it('as the name of a field: 400', async () => {
    const answer = await leavingNothing(() => merchant.execute({ metadata: { [CARD]: 'x' } }));
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused' });
    expect(answer.bytes.toString()).not.toContain(CARD);
  });

  it('in the Idempotency-Key header: 400', async () => {
    const answer = await leavingNothing(() =>
      merchant.execute({ idempotencyKey: undefined }, { 'idempotency-key': CARD }),
    );
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused' });
    expect(answer.body.errors).toMatchObject([{ field: expect.stringMatching(/^idempotency-key$/i) }]);
  });

  it.each([
    ['/api/recovery/plan', { paymentMethodToken: CARD, amount: 2_500 }],
    ['/api/recovery/execute/batch', { items: [{ paymentMethodToken: 'pm_card_visa', amount: 2_500 }], note: CARD }],
    ['/api/recovery/execute/batch', { items: CARD }],
    ['/api/recovery/pulse', { amount: 100, transactionId: CARD }],
    ['/api/webhook-endpoints', { url: `https://example.com/${CARD}` }],
  ])('in the body of %s: 400', async (path, body) => {
    const answer = await leavingNothing(() => merchant.api.post(path, body));
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused' });
    expect(answer.bytes.toString()).not.toContain(CARD);
  });

  it.each([
    ['paymentMethodToken', { paymentMethodToken: CARD }],
    ['metadata.note', { metadata: { note: `card ${CARD} please` } }],
    ['idempotencyKey', { idempotencyKey: CARD }],
    ['amount', { amount: Number(CARD) }],
    ['metadata (a field name)', { metadata: { [CARD]: 'x' } }],
  ])('in %s of one item of a batch: 400 in its place, and the others are worked', async (field, wrong) => {
    const linesBefore = world.app.logLines.length;
    const later = () => merchant.request({ originalDeclineCode: 'insufficient_funds' });
    const items = [later(), { ...later(), ...wrong }, CARD, later()];
    const recoveries = (await world.rowCounts())['recoveries'] ?? 0;
    const answer = await merchant.api.post<{ results: { status: number; body: { code?: string } }[] }>(
      '/api/recovery/execute/batch',
      { items },
    );
    expect(answer.status).toBe(200);
    expect(answer.body.results).toMatchObject([
      { status: 202 },
      { status: 400, body: { code: 'card_number_refused', errors: [{ field }] } },
      { status: 400, body: { code: 'card_number_refused', errors: [{ field: 'body' }] } },
      { status: 202 },
    ]);
    expect((await world.rowCounts())['recoveries']).toBe(recoveries + 2);
    expect(await world.tablesThatHold(CARD)).toEqual([]);
    expect(answer.bytes.toString()).not.toContain(CARD);
    expect(world.app.logLines.slice(linesBefore).join('')).not.toContain(CARD);
  });

  it.each([
    ['cancel', { reason: CARD }],
    ['payment-method', { paymentMethodToken: CARD }],
    ['resolve', { outcome: 'not_executed', evidence: { note: CARD } }],
    ['retry', { idempotencyKey: CARD }],
  ])('in the body of %s: 400', async (command, body) => {
    const answer = await leavingNothing(() => merchant.api.post(`/api/recovery/${recoveryId}/${command}`, body));
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused' });
  });

  it.each(['?reference=', '?customerId=', '?after='])('in a query (%s): 400', async (query) => {
    const answer = await merchant.list(`${query}${CARD}`);
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused' });
    expect(answer.bytes.toString()).not.toContain(CARD);
  });

  it.each([
    ['an order number that only passes Luhn', '9876543210123456789'],
    ['a run inside a longer id of letters', `ord${CARD}x`],
    ['a gateway’s id', `gid://shopify/Order/${CARD}`],
    ['one digit wrong', '4242424242424241'],
  ])('is not %s', async (_title, reference) => {
    expect((await merchant.execute({ reference })).status).toBe(200);
  });

  async function expectRefused(send: Record<string, unknown>, field: string): Promise<void> {
    const linesBefore = world.app.logLines.length;
    const answer = await leavingNothing(() => merchant.execute(send));
    expect(seen(answer)).toMatchObject({ http: 400, code: 'card_number_refused', errors: [{ field }] });
    const digits = String(Object.values(send)[0]).replace(/\D/g, '');
    for (const secret of [CARD, digits].filter((each) => each.length >= 13)) {
      expect(answer.bytes.toString()).not.toContain(secret);
      expect(world.app.logLines.slice(linesBefore).join('')).not.toContain(secret);
    }
  }
});
