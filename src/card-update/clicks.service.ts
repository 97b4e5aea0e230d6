import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow, type ClientSettings } from '../clients/client-settings.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { Clock } from '../platform/clock.js';
import { sha256 } from '../platform/crypto/vault.js';
import { Ids } from '../platform/ids.js';
import { CardUpdates } from './card-updates.service.js';
import { isUsable, type Link } from './link.js';
import { LinkAddress } from './link-address.js';
import { LinkStore } from './link-store.js';
import { PageStore } from './page-store.js';

const CALL_MS = 10_000;
/** As every token of ours: 32 bytes as base64url. Another form is not even looked up. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** A link that still works, with what its page needs to know of the merchant. */
export interface LiveLink {
  link: Link;
  client: ClientSettings;
}

export type Click = { kind: 'opened'; url: string } | { kind: 'dead' } | { kind: 'too_many' } | { kind: 'unavailable' };
export type Return = { kind: 'saved' | 'waiting'; live: LiveLink } | { kind: 'dead' };

/** What a customer does with a link. An unknown, a used and an expired one are the same to whoever holds it: dead. */
@Injectable()
export class Clicks {
  constructor(
    private readonly links: LinkStore,
    private readonly pages: PageStore,
    private readonly updates: CardUpdates,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly address: LinkAddress,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** Reading a link changes nothing, for mail scanners read every link. Null for a dead one. */
  async look(token: string): Promise<LiveLink | null> {
    const found = await this.find(token);
    if (!found) return null;
    const now = clientNow(found.client, this.clock.now());
    return isUsable(found.link, now) && found.client.mode !== 'observe' ? found : null;
  }

  /** Opens a fresh page at the gateway: its own links live a day, ours three. */
  async click(token: string): Promise<Click> {
    const live = await this.look(token);
    if (!live) return { kind: 'dead' };
    const { link, client } = live;
    const pageId = this.ids.ulid();
    if (!(await this.pages.begin(link, pageId, this.clock.now()))) return { kind: 'too_many' };
    const address = this.address.of(client, token);
    const account = await this.directory.gatewayAccount(link.clientId);
    const opened = await this.gateways.cardSetupsFor(account).open(
      account,
      {
        customerId: link.gatewayCustomerId,
        currency: link.currency,
        successUrl: `${address}/done?session_id={CHECKOUT_SESSION_ID}`,
        cancelUrl: address,
        reference: link.id,
        idempotencyKey: `${link.id}:${pageId}`,
      },
      { timeoutMs: CALL_MS },
    );
    if (opened.kind !== 'found') return { kind: 'unavailable' };
    await this.pages.opened(link.clientId, pageId, opened.value.sessionId, this.clock.now());
    return { kind: 'opened', url: opened.value.url };
  }

  /**
   * The customer comes back from the gateway's page, which is read. Without the page's own id it is no such return, and a
   * used link is as dead as any other.
   */
  async comeBack(token: string, sessionId: string | undefined): Promise<Return> {
    const live = await this.find(token);
    if (!live || sessionId === undefined) return { kind: 'dead' };
    const owner = await this.links.bySession(live.link.clientId, sessionId);
    if (owner?.id !== live.link.id) return { kind: 'dead' };
    const { kind } = await this.updates.completed(live.link.clientId, sessionId);
    if (kind === 'saved' || kind === 'superseded') return { kind: 'saved', live };
    return kind === 'not_ours' ? { kind: 'dead' } : { kind: 'waiting', live };
  }

  private async find(token: string): Promise<LiveLink | null> {
    const link = TOKEN.test(token) ? await this.links.byToken(sha256(token)) : null;
    return link && { link, client: await this.directory.settings(link.clientId) };
  }
}
