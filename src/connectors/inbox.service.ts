import { Injectable } from '@nestjs/common';

import { GatewayWebhookSecrets } from '../clients/gateway-webhook-secrets.service.js';
import { Clock } from '../platform/clock.js';
import { DomainError, notFound } from '../platform/http/domain-error.js';
import { Log } from '../platform/logging/log.js';
import { BillingPlatforms, type InboundRequest } from './billing-platform.js';
import { InboxStore } from './inbox-store.js';
import { InboxWorker } from './inbox-worker.js';
import { InboxWriter } from './inbox-writer.js';

/** Takes what billing platforms send: proven, stored, and only then acknowledged. It is worked afterwards. */
@Injectable()
export class Inbox {
  constructor(
    private readonly platforms: BillingPlatforms,
    private readonly secrets: GatewayWebhookSecrets,
    private readonly writer: InboxWriter,
    private readonly store: InboxStore,
    private readonly worker: InboxWorker,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Resolves once the event is committed, or was there before.
   * @throws {DomainError} 404 for no such client or platform, 400 `bad_signature` with nothing stored; what the database
   * throws where nothing was stored (503).
   */
  async receive(platformName: string, clientId: string, request: InboundRequest): Promise<void> {
    const platform = this.platforms.find(platformName);
    if (!platform)
      throw notFound(`There is no connector ${platformName}; there are: ${this.platforms.names.join(', ')}`);
    const client = await this.secrets.of(clientId);
    if (!client) throw notFound('There is no such client.');
    const receivedAt = this.clock.now();
    const proof = platform.prove(request, client, receivedAt);
    if (proof.kind === 'refused') {
      this.log.warn('inbox.refused', { clientId, platform: platformName, reason: proof.detail });
      throw badSignature(proof.field, proof.detail, proof.accepted);
    }
    const event = await platform.read(request.bytes, client, receivedAt);
    await this.writer.write({ ...event, clientId, platform: platformName, receivedAt });
    this.store.noteReceived(clientId, platformName, receivedAt);
    if (event.ignored === null) this.worker.wake();
    else
      this.log.info('inbox.ignored', {
        clientId,
        platform: platformName,
        reason: event.ignored,
        eventType: event.type,
      });
  }

  /** The one client of a single-client install. @throws {DomainError} 404 where there are none, or several. */
  async onlyClient(): Promise<string> {
    const ids = await this.store.clientIds(2);
    const [only] = ids;
    if (only !== undefined && ids.length === 1) return only;
    throw notFound(
      'This address is for an install with one client. Use /api/connectors/stripe-billing/webhook/{clientId}.',
    );
  }
}

function badSignature(field: string, detail: string, accepted: string): DomainError {
  const error = { field, code: 'bad_signature', message: detail, accepted };
  return new DomainError({ status: 400, code: error.code, detail: `${field} ${detail}`, errors: [error] });
}
