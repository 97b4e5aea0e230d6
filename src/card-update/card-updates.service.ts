import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow } from '../clients/client-settings.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { CardUpdateBell } from './card-update-bell.js';
import { type Link, newTokenIdentity } from './link.js';
import { LinkStore } from './link-store.js';

const CALL_MS = 10_000;

/**
 * What the gateway says of one of its pages. `saved`: the card came now, or by this very page before. `superseded`:
 * another page of the same link had brought a card already. `unreadable`: ask again later.
 */
export type Completion =
  | { kind: 'saved' }
  | { kind: 'superseded' }
  | { kind: 'not_complete' }
  | { kind: 'not_ours' }
  | { kind: 'unreadable'; message: string };

/** Takes the cards that customers have saved. Called as often as anybody thinks that a page is complete. */
@Injectable()
export class CardUpdates {
  constructor(
    private readonly links: LinkStore,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly bell: CardUpdateBell,
    private readonly vault: Vault,
    private readonly clock: Clock,
  ) {}

  /**
   * Reads a page at the gateway, whose word alone counts, and takes its card if it is complete. Safe to call again: for a
   * verified event, for the customer who comes back, and for a look of our own.
   */
  async completed(clientId: string, sessionId: string): Promise<Completion> {
    const link = await this.links.bySession(clientId, sessionId);
    if (!link) return { kind: 'not_ours' };
    if (link.state !== 'open') return { kind: link.sessionId === sessionId ? 'saved' : 'superseded' };
    const account = await this.directory.gatewayAccount(clientId);
    const reading = await this.gateways.cardSetupsFor(account).read(account, sessionId, { timeoutMs: CALL_MS });
    if (reading.kind === 'not_found') return { kind: 'not_ours' };
    if (reading.kind !== 'found') return { kind: 'unreadable', message: reading.message };
    const { customerId, reference, paymentMethodToken } = reading.value;
    if (customerId !== link.gatewayCustomerId || reference !== link.id) return { kind: 'not_ours' };
    return paymentMethodToken === null ? { kind: 'not_complete' } : this.take(link, sessionId, paymentMethodToken);
  }

  private async take(link: Link, sessionId: string, token: string): Promise<Completion> {
    const { clientId } = link;
    const realNow = this.clock.now();
    const at = clientNow(await this.directory.settings(clientId), realNow);
    const sealed = this.vault.seal(token, newTokenIdentity(link));
    const isFirst = await this.links.save(link, { sessionId, sealed, at, realNow });
    if (isFirst) {
      this.bell.wake();
      return { kind: 'saved' };
    }
    const now = await this.links.bySession(clientId, sessionId);
    return { kind: now?.sessionId === sessionId ? 'saved' : 'superseded' };
  }
}
