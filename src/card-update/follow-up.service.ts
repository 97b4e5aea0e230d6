import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow, type ClientSettings } from '../clients/client-settings.js';
import { invoiceOf } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import type { Reading } from '../gateways/gateway.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { isConnectionError } from '../platform/db/database.js';
import { DomainError } from '../platform/http/domain-error.js';
import { Log } from '../platform/logging/log.js';
import { type KeyedCall, KeyedCommand } from '../recoveries/keyed-command.js';
import { SteeringService } from '../recoveries/steering.service.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { CardUpdatedEvent } from './card-updated-event.js';
import { type Link, newTokenIdentity } from './link.js';
import { LinkStore, type LinkPatch } from './link-store.js';
import { PageStore } from './page-store.js';

const CALL_MS = 20_000;
/** Between tries of a step that could not be taken, in real time; the last one goes on for ever. */
const RETRY_AFTER_MS = [2_000, 10_000, 60_000, 300_000, 1_800_000, 3_600_000];
const ACTOR = 'card_update_link';

/** A step that can not be taken now. The message is kept with the link. */
class NotNow extends Error {}

/**
 * What follows a saved card, one step at a time, each written before the next begins: the card becomes the default where
 * the failed invoice looks, the merchant is told, and each recovery is charged to it by the command that merchants use.
 */
@Injectable()
export class FollowUp {
  constructor(
    private readonly links: LinkStore,
    private readonly pages: PageStore,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly recoveries: RecoveryStore,
    private readonly steering: SteeringService,
    private readonly keyed: KeyedCommand,
    private readonly event: CardUpdatedEvent,
    private readonly dispatcher: Dispatcher,
    private readonly vault: Vault,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Takes the next step of a claimed link. */
  async step(link: Link): Promise<void> {
    try {
      const client = await this.directory.settings(link.clientId);
      const patch = await this.next(link, client);
      await this.links.finishStep(link, { failedTries: 0, lastError: null, ...patch });
    } catch (error) {
      if (!(error instanceof NotNow) && !isConnectionError(error)) {
        this.log.error('card_update.interrupted', { clientId: link.clientId, cardUpdateId: link.id }, error);
      }
      await this.links.finishStep(link, this.later(link, error));
    }
  }

  private async next(link: Link, client: ClientSettings): Promise<LinkPatch> {
    const dueAt = this.clock.now();
    if (link.defaultPlace === null) return { defaultPlace: await this.makeDefault(link, client), dueAt };
    if (link.recoveryIds === null) return { recoveryIds: await this.tell(link, client), dueAt };
    const recoveryId = link.recoveryIds.find((id) => link.outcomes[id] === undefined);
    if (recoveryId === undefined) {
      await this.closeOtherPages(link);
      return { state: 'done', dueAt: null };
    }
    const outcome = await this.charge(link, recoveryId, client);
    return { outcomes: { ...link.outcomes, [recoveryId]: outcome }, dueAt };
  }

  /** Where it was put. A refusal is no reason not to charge the card, so it is kept in that place and gone past. */
  private async makeDefault(link: Link, { mode }: ClientSettings): Promise<string> {
    // In this mode nothing is changed at the gateway, whoever asks.
    if (mode === 'observe') return 'none: observe';
    const account = await this.directory.gatewayAccount(link.clientId);
    const request = {
      customerId: link.gatewayCustomerId,
      invoiceId: await this.invoiceOf(link),
      paymentMethodToken: this.newToken(link),
      idempotencyKey: `${link.id}:default`,
    };
    const setups = this.gateways.cardSetupsFor(account);
    const reading: Reading<string> = await setups.makeDefault(account, request, { timeoutMs: CALL_MS });
    if (reading.kind === 'found') return reading.value;
    if (reading.kind === 'unavailable' || reading.kind === 'account_refused') throw new NotNow(reading.message);
    const code = reading.kind === 'rejected' ? (reading.code ?? String(reading.status)) : 'not_found';
    this.log.warn('card_update.default_refused', { clientId: link.clientId, cardUpdateId: link.id, code });
    return `none: ${code}`;
  }

  private async invoiceOf({ clientId, recoveryId, replacedTokenHash }: Link): Promise<string | null> {
    const id = recoveryId ?? (await this.recoveries.openOnToken(clientId, replacedTokenHash))[0];
    const found = id === undefined ? null : await this.recoveries.find(clientId, id);
    return found && invoiceOf(found.recovery);
  }

  /** Tells the merchant, and settles which recoveries are charged: the link's own, else those open on the old card. */
  private async tell(link: Link, client: ClientSettings): Promise<string[]> {
    const { clientId, recoveryId, replacedTokenHash } = link;
    const asked = recoveryId === null ? await this.recoveries.openOnToken(clientId, replacedTokenHash) : [recoveryId];
    const transactionIds = client.mode === 'observe' ? [] : asked;
    await this.event.tell(link, transactionIds, client, clientNow(client, this.clock.now()));
    this.dispatcher.wake();
    return transactionIds;
  }

  /**
   * Charges a recovery to the new card. The command's own idempotency key makes a step that was interrupted after its
   * charge tell that charge's outcome, and not charge again.
   */
  private async charge(link: Link, recoveryId: string, settings: ClientSettings): Promise<string> {
    const { clientId, id } = link;
    const commander = { clientId, settings, actor: ACTOR };
    const paymentMethodToken = this.newToken(link);
    const call: KeyedCall = {
      name: `payment-method:${recoveryId}:${id}`,
      body: {},
      headerKey: `card_update:${id}:${recoveryId}`,
    };
    try {
      const answer = await this.keyed.run(commander, call, (answerFor) =>
        this.steering.payWith(commander, recoveryId, paymentMethodToken, answerFor),
      );
      return (JSON.parse(answer.body.toString('utf8')) as { state: string }).state;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      // A charge whose outcome is unknown decides first, and a silent gateway answers another time.
      if (PASSING.has(error.code) || error.status >= 500) throw new NotNow(error.detail);
      return `not charged: ${error.code}`;
    }
  }

  /** A second card by a page that was left open would be nobody's. */
  private async closeOtherPages(link: Link): Promise<void> {
    const sessions = await this.pages.othersOf(link);
    if (sessions.length > 0) await this.closePages(link.clientId, sessions);
    await this.pages.forget(link.clientId, link.id);
  }

  private async closePages(clientId: string, sessions: readonly string[]): Promise<void> {
    const account = await this.directory.gatewayAccount(clientId);
    const setups = this.gateways.cardSetupsFor(account);
    for (const sessionId of sessions) {
      const closed = await setups.close(account, sessionId, { timeoutMs: CALL_MS });
      if (closed.kind === 'unavailable') throw new NotNow(closed.message);
    }
  }

  private newToken(link: Link): string {
    if (link.newTokenSealed === null) throw new Error(`${link.id} is worked without its card`);
    return this.vault.open(link.newTokenSealed, newTokenIdentity(link));
  }

  private later({ failedTries }: Link, error: unknown): LinkPatch {
    const delayMs = RETRY_AFTER_MS[Math.min(failedTries, RETRY_AFTER_MS.length - 1)] ?? 0;
    const lastError = error instanceof NotNow ? error.message : error instanceof Error ? error.name : 'unknown';
    return { failedTries: failedTries + 1, lastError, dueAt: new Date(this.clock.now().getTime() + delayMs) };
  }
}

const PASSING = new Set(['outcome_unknown', 'gateway_unreadable', 'idempotency_in_flight']);
