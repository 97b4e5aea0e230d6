import { Injectable } from '@nestjs/common';

import { CallRateLimit } from '../clients/call-rate-limit.service.js';
import type { Caller } from '../clients/caller.js';
import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow } from '../clients/client-settings.js';
import { hashToken } from '../engine/fallback-tokens.js';
import type { Recovery } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { Clock } from '../platform/clock.js';
import { sha256 } from '../platform/crypto/vault.js';
import { checkUrl, type EgressPolicy } from '../platform/egress/url-rules.js';
import { badField, conflict, notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import { Random } from '../platform/random.js';
import type { GenerateBody } from './card-update.dto.js';
import { LINK_LIFETIME_MS } from './link.js';
import { LinkAddress } from './link-address.js';
import { LinkStore } from './link-store.js';

const TOKEN_BYTES = 32;
const CALL_MS = 10_000;
const GENERATED_PER_MINUTE = 120;

/** Where a customer may be sent back to. */
export abstract class ReturnUrlPolicy implements EgressPolicy {
  abstract readonly ports: readonly number[];
  abstract readonly allowLoopback: boolean;
}

/** What is shown once: the link is kept as a hash. */
export interface GeneratedLink {
  url: string;
  token: string;
  /** ISO 8601, on the client's clock. */
  expiresAt: string;
}

/** Makes links by which a customer gives a new card without a login. */
@Injectable()
export class CardUpdateLinks {
  constructor(
    private readonly links: LinkStore,
    private readonly recoveries: RecoveryStore,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly limit: CallRateLimit,
    private readonly address: LinkAddress,
    private readonly returnUrls: ReturnUrlPolicy,
    private readonly random: Random,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** @throws {DomainError} 400, 404, 409 `observe_mode`, `not_retryable` or `gateway_unreadable`, 429. */
  async generate({ clientId, settings }: Caller, body: GenerateBody): Promise<GeneratedLink> {
    await this.limit.take(clientId, 'card_update.generate', GENERATED_PER_MINUTE);
    if (settings.mode === 'observe') {
      throw conflict('observe_mode', 'in the mode observe nothing is changed at the gateway, cards included');
    }
    const { paymentMethodToken, transactionId, returnUrl } = body;
    if (returnUrl !== undefined) this.checkReturnUrl(returnUrl);
    const recovery = transactionId === undefined ? null : await this.demandOpen(clientId, transactionId);
    const gatewayCustomerId = await this.customerOf(clientId, paymentMethodToken, recovery);
    const token = this.random.bytes(TOKEN_BYTES).toString('base64url');
    const createdAt = clientNow(settings, this.clock.now());
    const expiresAt = new Date(createdAt.getTime() + LINK_LIFETIME_MS);
    await this.links.insert({
      clientId,
      id: this.ids.prefixed('cul'),
      tokenHash: sha256(token),
      gatewayCustomerId,
      replacedTokenHash: hashToken(clientId, paymentMethodToken),
      recoveryId: recovery?.id ?? null,
      currency: recovery?.currency ?? settings.defaultCurrency,
      returnUrl: returnUrl ?? null,
      createdAt,
      expiresAt,
    });
    return { url: this.address.of(settings, token), token, expiresAt: expiresAt.toISOString() };
  }

  private checkReturnUrl(returnUrl: string): void {
    const verdict = checkUrl(returnUrl, this.returnUrls);
    if (verdict.kind === 'refused') throw badField('returnUrl', 'invalid_field', verdict.message, verdict.accepted);
  }

  /** A card for a debt that is paid or called off would lead nowhere. @throws {DomainError} 404, 409. */
  private async demandOpen(clientId: string, transactionId: string): Promise<Recovery> {
    const found = await this.recoveries.find(clientId, transactionId);
    if (!found) throw notFound('no recovery has this transactionId');
    const { state } = found.recovery;
    if (state === 'succeeded' || state === 'cancelled' || state === 'holdout') {
      throw conflict('not_retryable', `no new card can help this recovery: ${state}`, { rule: state });
    }
    return found.recovery;
  }

  /** The card is saved for the customer who holds the old one. @throws {DomainError} 400, 409 `gateway_unreadable`. */
  private async customerOf(clientId: string, token: string, recovery: Recovery | null): Promise<string> {
    const account = await this.directory.gatewayAccount(clientId);
    const gateway = this.gateways.gatewayFor(account);
    const reading = await gateway.readPaymentMethod(account, token, { timeoutMs: CALL_MS });
    const refuse = (message: string, accepted: string) =>
      badField('paymentMethodToken', 'invalid_field', message, accepted);
    if (reading.kind === 'not_found' || reading.kind === 'rejected') {
      throw refuse('the gateway knows no such payment method', "the gateway's own token of this account");
    }
    if (reading.kind !== 'found') {
      throw conflict('gateway_unreadable', 'the gateway can not be read now; try again');
    }
    const ofRecovery = recovery?.gatewayCustomerId ?? null;
    // The recovery's own card belongs to whoever it was charged for.
    if (ofRecovery !== null && recovery?.tokenHash.equals(hashToken(clientId, token)) === true) return ofRecovery;
    const customerId = reading.value.customerId ?? ofRecovery;
    if (customerId === null) throw refuse('belongs to no customer', 'a token that is attached to a customer');
    if (ofRecovery !== null && customerId !== ofRecovery) {
      throw refuse("belongs to another customer than the recovery's", "a token of the recovery's customer");
    }
    return customerId;
  }
}
