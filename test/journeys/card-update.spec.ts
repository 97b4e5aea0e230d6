import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { CardUpdates } from '../../src/card-update/card-updates.service.js';
import type { Bank } from '../support/bank.js';
import { askLink, look, newLink, press, saveCard } from '../support/card-update.js';
import { type Merchant, unique } from '../support/merchant.js';
import { HOUR_MS, later, World } from '../support/story.js';

const OLD = 'pm_test_insufficient_funds';
const QUEUED = { originalDeclineCode: 'insufficient_funds', paymentMethodToken: OLD };
const DEAD = 'This link no longer works';

let world: World;
let merchant: Merchant;
let bank: Bank;

beforeAll(async () => {
  world = await World.start();
  merchant = await world.merchant();
  bank = await world.bank(merchant);
});

afterAll(async () => {
  await world.stop();
});

const updates = () => world.app.service.app.get(CardUpdates);
const defaultOf = async (customer: string) => {
  const read = await bank.stripe.customers.retrieve(customer);
  return read.deleted ? null : read.invoice_settings.default_payment_method;
};
const sessionOf = (doneUrl: string) => String(new URL(doneUrl).searchParams.get('session_id'));
const linkRow = async (token: string) => {
  const text = `SELECT * FROM card_update_links WHERE token_hash = sha256($1::bytea)`;
  const { rows } = await world.database.query<Record<string, unknown>>(text, [token]);
  return rows[0] ?? {};
};
const untilDone = async (token: string) => {
  for (let tries = 0; tries < 400; tries += 1) {
    const row = await linkRow(token);
    if (row['state'] === 'done') return row;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the link was never done: ${JSON.stringify(await linkRow(token))}`);
};

describe('a card-update link', () => {
  it('leads a customer to the gateway, takes the new card, makes it the default, tells the merchant and collects', async () => {
    const { body } = await merchant.execute(QUEUED);
    const returnUrl = 'https://acme.example/billing';
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId, returnUrl });
    expect(link.url).toBe(`${world.app.url}/update-card/${link.token}`);
    expect(Date.parse(link.expiresAt) - Date.now()).toBeGreaterThan(71 * HOUR_MS);
    const back = await saveCard(link);
    expect(back.startsWith(`${link.url}/done?session_id=cs_test_`)).toBe(true);
    const page = await look(back);
    expect(page).toMatchObject({ status: 200 });
    expect(page.text).toContain('Your card is updated');
    expect(page.text).toContain(`href="${returnUrl}"`);
    const told = await merchant.event(body.transactionId, 'card.updated');
    expect(told).toMatchObject({
      recommendedAction: 'monitor',
      final: false,
      willRetry: true,
      gatewayCustomerId: bank.cardholder,
      transactionIds: [body.transactionId],
    });
    const success = await merchant.event(body.transactionId, 'recovery.success');
    expect(success).toMatchObject({ trigger: 'card_updated', strategyUsed: 'updated_card', round: 2 });
    expect(await defaultOf(bank.cardholder)).toMatch(/^pm_/);
    expect((await merchant.ledger(body.transactionId)).map(({ status }) => status)).toEqual(['succeeded']);
    const row = await untilDone(link.token);
    expect(row).toMatchObject({ default_place: 'customer', outcomes: { [body.transactionId]: 'succeeded' } });
    expect(JSON.stringify(told)).not.toContain(link.token);
    const actors = (await merchant.timeline(body.transactionId)).map((entry) => entry['actor']);
    expect(actors).toContain('card_update_link');
  });

  it('without a recovery charges whatever is open on the old card, and names it', async () => {
    const token = `${OLD}__card_${unique('c').replaceAll('_', '')}`;
    const debts: string[] = [];
    while (debts.length < 2)
      debts.push((await merchant.execute({ ...QUEUED, paymentMethodToken: token })).body.transactionId);
    const link = await newLink(merchant, { paymentMethodToken: token });
    await look(await saveCard(link));
    const told = await merchant.event(debts[0] ?? '', 'card.updated');
    expect(told).toMatchObject({ transactionIds: debts });
    for (const id of debts)
      expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'card_updated' });
  });

  it('with nothing open charges nothing, and tells the merchant all the same', async () => {
    const alone = await world.merchant();
    const token = 'pm_card_visa__card_alone';
    const link = await newLink(alone, { paymentMethodToken: token });
    await look(await saveCard(link));
    await world.receiver.waitFor(({ path, body }) => path === alone.account.mailbox && body.event === 'card.updated');
    const [webhook] = world.receiver.at(alone.account.mailbox);
    expect(webhook?.body).toMatchObject({ revtainTransactionId: null, transactionIds: [], willRetry: false });
    expect(await alone.ledger()).toEqual([]);
  });

  it('opens a failed recovery for a new round', async () => {
    const { body } = await merchant.execute({ originalDeclineCode: 'expired_card' });
    expect(body).toMatchObject({ state: 'failed' });
    const link = await newLink(merchant, { transactionId: body.transactionId });
    await look(await saveCard(link));
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ round: 2 });
  });

  it('whose new card is declined as well leaves the recovery to its schedule', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    await look(await saveCard(link, 'pm_test_do_not_honor'));
    const row = await untilDone(link.token);
    expect(row).toMatchObject({ outcomes: { [body.transactionId]: 'queued' } });
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'queued', attemptCount: 1 });
  });

  it('is paid on the invoice that failed', async () => {
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ ...QUEUED, invoiceId });
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    await look(await saveCard(link));
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
  });

  it('that its customer never came back from is completed by the verified event', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    const session = sessionOf(await saveCard(link));
    const twice = await Promise.all([1, 2].map(() => updates().completed(merchant.clientId, session)));
    expect(twice).toEqual([{ kind: 'saved' }, { kind: 'saved' }]);
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await updates().completed(merchant.clientId, session)).toEqual({ kind: 'saved' });
    expect((await merchant.ledger(body.transactionId)).length).toBe(1);
    expect(merchant.events(body.transactionId).filter(({ event }) => event === 'card.updated').length).toBe(1);
  });

  it('that nobody tells anything of is found by a look of our own', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    const session = sessionOf(await saveCard(link));
    await world.database.query('UPDATE card_update_pages SET look_at = now() WHERE session_id = $1', [session]);
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'card_updated' });
  });

  it('waits while a charge is unknown, and charges once that has ended', async () => {
    const { body } = await merchant.execute({
      paymentMethodToken: 'pm_test_fault_reset_before_charge_then_do_not_honor',
    });
    expect(body).toMatchObject({ state: 'reconciling' });
    const link = await newLink(merchant, {
      paymentMethodToken: 'pm_test_fault_reset_before_charge_then_do_not_honor',
      transactionId: body.transactionId,
    });
    await look(await saveCard(link));
    await merchant.event(body.transactionId, 'card.updated');
    expect((await linkRow(link.token))['outcomes']).toEqual({});
    await world.loseLongAgo(body.transactionId);
    await merchant.resolve(body.transactionId, 'not_executed', { note: 'looked' });
    await world.database.query('UPDATE card_update_links SET due_at = now() WHERE id = $1', [
      (await linkRow(link.token))['id'],
    ]);
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'card_updated' });
    expect((await merchant.ledger(body.transactionId)).filter(({ status }) => status === 'succeeded').length).toBe(1);
  });

  it('does not open again what the merchant has called off meanwhile', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    const back = await saveCard(link);
    await merchant.cancel(body.transactionId);
    await look(back);
    const row = await untilDone(link.token);
    expect(row).toMatchObject({ outcomes: { [body.transactionId]: 'not charged: not_retryable' } });
    expect(await merchant.ledger(body.transactionId)).toEqual([]);
  });

  it('takes the first card only, and closes the pages that were left open', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    const other = await press(link.url);
    await look(await saveCard(link));
    await untilDone(link.token);
    const late = await press(other.location, {}, 'card=pm_card_visa');
    expect(late).toMatchObject({ status: 400 });
    expect((await linkRow(link.token))['state']).toBe('done');
  });

  it('goes on where it was after every step, whoever works it: one event, one charge', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    await look(await saveCard(link));
    const row = await untilDone(link.token);
    // As a process leaves it that died after its charge and before it wrote so.
    const text = `UPDATE card_update_links SET state = 'saved', due_at = now(), outcomes = '{}', default_place = NULL,
      recovery_ids = NULL WHERE id = $1`;
    await world.database.query(text, [row['id']]);
    expect(await untilDone(link.token)).toMatchObject({ outcomes: { [body.transactionId]: 'succeeded' } });
    expect((await merchant.ledger(body.transactionId)).length).toBe(1);
    await merchant.event(body.transactionId, 'recovery.success');
    expect(merchant.events(body.transactionId).filter(({ event }) => event === 'card.updated').length).toBe(1);
  });
});

describe('a link that nobody presses', () => {
  it('changes nothing, however often a scanner reads it', async () => {
    const { body } = await merchant.execute(QUEUED);
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId });
    const before = await linkRow(link.token);
    for (let count = 0; count < 5; count += 1) {
      expect((await look(link.url)).text).toContain('<form method="post">');
      expect((await look(`${link.url}/done`)).text).toContain(DEAD);
    }
    expect(await linkRow(link.token)).toEqual(before);
    const pages = await world.database.query('SELECT 1 FROM card_update_pages WHERE link_id = $1', [before['id']]);
    expect(pages.rowCount).toBe(0);
    expect(await merchant.ledger(body.transactionId)).toEqual([]);
  });

  it('expires after 72 hours on the client’s clock', async () => {
    const slow = await world.merchant();
    const link = await newLink(slow);
    await slow.advanceTo(later(link.expiresAt, -60_000));
    expect((await look(link.url)).status).toBe(200);
    await slow.advanceTo(later(link.expiresAt, 1_000));
    expect(await look(link.url)).toMatchObject({ status: 404 });
    expect(await press(link.url)).toMatchObject({ status: 404 });
  });
});

describe('what a link is refused for', () => {
  it('a token that the gateway does not know, a recovery of nobody, of another client, or one that is over', async () => {
    expect(await askLink(merchant, { paymentMethodToken: 'pm_nobody' })).toMatchObject({ status: 400 });
    expect(await askLink(merchant, { transactionId: '0'.repeat(26) })).toMatchObject({ status: 404 });
    const other = await world.merchant();
    const { body } = await other.execute(QUEUED);
    expect(await askLink(merchant, { transactionId: body.transactionId })).toMatchObject({ status: 404 });
    const paid = await merchant.execute();
    expect(await askLink(merchant, { transactionId: paid.body.transactionId })).toMatchObject({
      status: 409,
      body: { code: 'not_retryable', rule: 'succeeded' },
    });
  });

  it('a card of another customer than the recovery’s', async () => {
    const { body } = await merchant.execute(QUEUED);
    const { id: customer } = await bank.stripe.customers.create({});
    const { id } = await bank.stripe.paymentMethods.attach('pm_card_visa', { customer });
    const asked = await askLink(merchant, { paymentMethodToken: id, transactionId: body.transactionId });
    expect(asked).toMatchObject({ status: 400, body: { errors: [{ field: 'paymentMethodToken' }] } });
  });

  it('an address to go back to that is none of the web’s', async () => {
    for (const returnUrl of [
      'javascript:alert(1)',
      'http://acme.example/',
      'https://a:b@acme.example/',
      'data:text/html,x',
    ]) {
      expect(await askLink(merchant, { returnUrl })).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'returnUrl' }] },
      });
    }
  });

  it('a client that only observes: nothing is changed at its gateway', async () => {
    const observing = await world.merchant({ mode: 'observe' });
    expect(await askLink(observing)).toMatchObject({ status: 409, body: { code: 'observe_mode' } });
  });

  it('too many in a minute', async () => {
    const busy = await world.merchant();
    const text = `INSERT INTO rate_windows (client_id, key_id, window_start, used)
      SELECT $1, 'card_update.generate', date_trunc('minute', now()) + at * interval '1 minute', 120 FROM generate_series(0, 1) at`;
    await world.database.query(text, [busy.clientId]);
    const asked = await askLink(busy);
    expect(asked).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(asked.headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('the page on which a customer authenticates', () => {
  it('is told on request, for an invoice that has one, and in no event', async () => {
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, originalDeclineCode: 'authentication_required' });
    const { hosted_invoice_url: url } = await bank.readInvoice(invoiceId);
    const told = await merchant.api.get(`/api/recovery/${body.transactionId}/hosted-invoice`);
    expect(told).toMatchObject({ status: 200, body: { transactionId: body.transactionId, invoiceId, url } });
    const blocked = await merchant.event(body.transactionId, 'recovery.blocked');
    expect(JSON.stringify(blocked)).not.toContain(String(url));
    const other = await merchant.execute(QUEUED);
    expect(await merchant.api.get(`/api/recovery/${other.body.transactionId}/hosted-invoice`)).toMatchObject({
      status: 409,
      body: { code: 'no_hosted_invoice' },
    });
  });
});
