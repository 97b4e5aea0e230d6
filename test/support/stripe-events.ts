import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { request } from 'undici';

import type { Bank } from './bank.js';
import type { Merchant, StatusBody } from './merchant.js';
import type { World } from './story.js';

export const SECRET = 'whsec_of_the_tests';
const WAIT_MAX_MS = 30_000;

export interface SentEvent {
  id: string;
  type: string;
}

/** `t=…,v1=…` over a body, as Stripe signs it. */
export function stripeSignature(
  body: string | Buffer,
  secret = SECRET,
  seconds = Math.floor(Date.now() / 1000),
): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
  return `t=${seconds},v1=${mac}`;
}

/** A merchant's Stripe account, with its events sent to the service by hand: in any order, as often as a test likes. */
export class StripeShop {
  private constructor(
    readonly world: World,
    readonly merchant: Merchant,
    readonly bank: Bank,
  ) {}

  static async open(world: World, settings: Record<string, unknown> = {}): Promise<StripeShop> {
    const merchant = await world.merchant({ gateway: { provider: 'test', webhookSecret: SECRET }, ...settings });
    return new StripeShop(world, merchant, await world.bank(merchant));
  }

  get url(): string {
    return `${this.merchant.api.url}/api/connectors/stripe-billing/webhook/${this.merchant.clientId}`;
  }

  /** Sends bytes as they are; resolves to the answer. */
  async post(
    body: string | Buffer,
    headers: Record<string, string> = { 'stripe-signature': stripeSignature(body) },
    url = this.url,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await request(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: JSON.parse(text) as Record<string, unknown> };
  }

  /** Sends an event, signed. @throws unless it is taken. */
  async send(event: object): Promise<void> {
    const { status, body } = await this.post(JSON.stringify(event, null, 2));
    if (status !== 200) throw new Error(`the event was answered ${status}: ${JSON.stringify(body)}`);
  }

  /** Everything that happened at the gateway so far, oldest first. */
  async happened(...types: string[]): Promise<(SentEvent & Record<string, unknown>)[]> {
    const events: (SentEvent & Record<string, unknown>)[] = [];
    for await (const event of this.bank.stripe.events.list({ limit: 100 })) {
      if (types.length === 0 || types.includes(event.type)) events.push(event as never);
    }
    return events.reverse();
  }

  /** Sends all that happened of these types (all types unless some are named), and waits until it is worked. */
  async tell(...types: string[]): Promise<void> {
    for (const event of await this.happened(...types)) await this.send(event);
    await this.worked();
  }

  /** Waits until no event of the merchant is due any more. */
  async worked(): Promise<void> {
    const text = `SELECT count(*)::int AS left FROM connector_events
      WHERE client_id = $1 AND status = 'pending' AND (due_at < now() + interval '3 seconds' OR lease_until IS NOT NULL)`;
    for (let waitedMs = 0; waitedMs < WAIT_MAX_MS; waitedMs += 20) {
      const { rows } = await this.world.database.query<{ left: number }>(text, [this.merchant.clientId]);
      if (rows[0]?.left === 0) return;
      await sleep(20);
    }
    throw new Error(`events are still pending: ${JSON.stringify(await this.outcomes())}`);
  }

  /** What became of the events: `type outcome` in the order they came. */
  async outcomes(): Promise<string[]> {
    const text = `SELECT type, status, outcome FROM connector_events WHERE client_id = $1 ORDER BY received_at, event_id`;
    const { rows } = await this.world.database.query<{ type: string; status: string; outcome: string | null }>(text, [
      this.merchant.clientId,
    ]);
    return rows.map(({ type, status, outcome }) => `${type} ${outcome ?? status}`);
  }

  /** The recoveries there are, newest first. */
  async recoveries(): Promise<StatusBody[]> {
    return (await this.merchant.list()).body.data;
  }

  /** The only recovery. @throws when there is none, or several. */
  async recovery(): Promise<StatusBody> {
    const [only, ...others] = await this.recoveries();
    if (!only || others.length > 0) throw new Error(`there are ${others.length + (only ? 1 : 0)} recoveries`);
    return only;
  }

  subscribe(
    method: string | null = 'pm_test_insufficient_funds',
    more: { retries?: boolean; amountMinor?: number } = {},
  ) {
    return this.bank.admin.openSubscription(this.merchant.clientId, { amountMinor: 2_500, method, ...more });
  }

  bill(subscription: { id: string }): Promise<string> {
    return this.bank.admin.billSubscription(this.merchant.clientId, subscription.id);
  }
}
