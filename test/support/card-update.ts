import { request } from 'undici';

import type { Answer } from './api.js';
import type { Merchant } from './merchant.js';

/** A card-update link as its merchant got it. */
export interface Link {
  url: string;
  token: string;
  expiresAt: string;
}

/** What a browser without scripts sees. */
export interface Seen {
  status: number;
  location: string;
  text: string;
  headers: Record<string, string | string[] | undefined>;
}

/** Asks for a link, with whatever comes. */
export function askLink(
  merchant: Merchant,
  body: Record<string, unknown> = {},
): Promise<Answer<Link & Record<string, unknown>>> {
  return merchant.api.post('/api/recovery/update-card/generate', { paymentMethodToken: 'pm_card_visa', ...body });
}

/** A link that was made. @throws when it was not. */
export async function newLink(merchant: Merchant, body: Record<string, unknown> = {}): Promise<Link> {
  const made = await askLink(merchant, body);
  if (made.status !== 201) throw new Error(`no link was made: ${made.bytes.toString()}`);
  return made.body;
}

export async function look(url: string, headers: Record<string, string> = {}): Promise<Seen> {
  return seen(await request(url, { headers }));
}

/** Presses the page's button, as its form does. */
export async function press(url: string, headers: Record<string, string> = {}, form = ''): Promise<Seen> {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return seen(await request(url, { method: 'POST', headers: { ...type, ...headers }, body: form }));
}

/** The customer presses the button and saves a card on the gateway's page; where they are sent back to. */
export async function saveCard(link: Link, card = 'pm_card_mastercard'): Promise<string> {
  const { status, location, text } = await press(link.url);
  if (status !== 303) throw new Error(`the link opened nothing: ${status} ${text}`);
  const back = await press(location, {}, new URLSearchParams({ card }).toString());
  if (back.status !== 303) throw new Error(`the card was not saved: ${back.status} ${back.text}`);
  return back.location;
}

async function seen(answer: Awaited<ReturnType<typeof request>>): Promise<Seen> {
  const { statusCode: status, headers } = answer;
  return { status, headers, location: String(headers.location ?? ''), text: await answer.body.text() };
}
