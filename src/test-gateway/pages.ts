import type { IncomingMessage } from 'node:http';

import { inAccount } from './account-work.js';
import { enterCard, readSetupSession } from './checkout-sessions.js';
import type { GatewayParts } from './execution.js';
import { grantCode } from './oauth.js';
import { StripeRefusal } from './stripe-refusal.js';

/** What a browser is answered: a page, or where to go on. */
export interface PageAnswer {
  status: number;
  html: string;
  location: string | null;
  /** Whether it left events behind that somebody waits for. */
  tells: boolean;
}

const CHECKOUT = /^\/c\/pay\/(cli_\w+)\/(cs_test_\w+)$/;

/** Cards that people try first; any other token can be typed. */
const CARDS = ['pm_card_visa', 'pm_card_mastercard', 'pm_card_chargeCustomerFail', 'pm_test_insufficient_funds'];

/**
 * Answers what people see of this gateway in a browser, in place of Stripe's own pages; null for any other path.
 * The address of a page is all the right to it, as at Stripe.
 */
export async function answerPage(
  parts: GatewayParts,
  request: Pick<IncomingMessage, 'method'>,
  { path, query }: { path: string; query: string },
  body: string,
): Promise<PageAnswer | null> {
  if (path === '/oauth/authorize') return authorizePage(parts, request.method === 'POST', query, body);
  const [, accountId, sessionId] = CHECKOUT.exec(path) ?? [];
  if (accountId === undefined || sessionId === undefined) return null;
  try {
    return request.method === 'POST'
      ? await takeCard(parts, accountId, sessionId, new URLSearchParams(body).get('card') ?? '')
      : await askCard(parts, accountId, sessionId);
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    return page(error.status, 'This can not be done', `<p role="alert">${escaped(error.message)}</p>`);
  }
}

async function askCard(parts: GatewayParts, accountId: string, sessionId: string): Promise<PageAnswer> {
  const session = await inAccount(parts, accountId, (uow) => readSetupSession(uow, sessionId));
  if (session.status !== 'open') return page(200, 'This Checkout Session is no longer open', '');
  const options = CARDS.map((card) => `<option value="${card}">`).join('');
  const back = session.cancel_url === null ? '' : `<p><a href="${escaped(session.cancel_url)}">Cancel</a></p>`;
  const form = `<form method="post"><label>Card (a test token) <input name="card" list="cards" value="pm_card_visa"></label>
<datalist id="cards">${options}</datalist> <button type="submit">Save card</button></form>${back}`;
  return page(200, 'Test gateway: save a card', form);
}

async function takeCard(parts: GatewayParts, accountId: string, sessionId: string, card: string): Promise<PageAnswer> {
  const session = await inAccount(parts, accountId, (uow) => enterCard(uow, sessionId, card));
  const location = session.success_url.replaceAll('{CHECKOUT_SESSION_ID}', session.id);
  return { status: 303, html: '', location, tells: true };
}

/** In place of Stripe's own page: the merchant names the account that it lets the platform use, or refuses. */
async function authorizePage(
  parts: GatewayParts,
  isPressed: boolean,
  query: string,
  body: string,
): Promise<PageAnswer> {
  const asked = new URLSearchParams(query);
  const back = asked.get('redirect_uri') ?? '';
  if (!URL.canParse(back)) return page(400, 'This can not be done', '<p role="alert">redirect_uri is missing</p>');
  if (!isPressed) {
    const form = `<form method="post"><label>Account <input name="account" value="acct_"></label>
<button type="submit">Connect</button> <button type="submit" name="denied" value="1">Refuse</button></form>`;
    return page(200, 'Test gateway: connect an account', form);
  }
  const pressed = new URLSearchParams(body);
  const location = new URL(back);
  location.searchParams.set('state', asked.get('state') ?? '');
  if (pressed.has('denied')) location.searchParams.set('error', 'access_denied');
  else {
    const platform = asked.get('client_id') ?? '';
    location.searchParams.set('scope', 'read_write');
    location.searchParams.set('code', await grantCode(parts, platform, pressed.get('account') ?? ''));
  }
  return { status: 303, html: '', location: location.href, tells: false };
}

function page(status: number, title: string, content: string): PageAnswer {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><h1>${title}</h1>${content}</body></html>`;
  return { status, html, location: null, tells: false };
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (letter) => entities[letter] ?? letter);
}
