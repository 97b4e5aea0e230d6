import { Injectable } from '@nestjs/common';

import type { ClientSettings } from '../clients/client-settings.js';
import { eventFacts } from '../engine/event-composer.js';
import type { Recovery } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import { CARD_UPDATED, composeCardUpdatedAlone, composeEvent } from '../webhooks/event-body.js';
import { draftsToJson, type EventDraft, outboxCtes } from '../webhooks/outbox.js';
import type { Link } from './link.js';

/** One event a link, whichever process comes to it: the one that names the event in the link's row writes it. */
const TELL = `
  WITH guarded AS (
    UPDATE card_update_links SET event_id = $3
    WHERE client_id = $1 AND id = $2 AND event_id IS NULL
    RETURNING client_id, $4::text AS id),
  ${outboxCtes({ events: '$5', realNow: '$6' })}
  SELECT FROM guarded`;

/** Tells the merchant that a customer has given a new card. */
@Injectable()
export class CardUpdatedEvent {
  constructor(
    private readonly database: Database,
    private readonly store: RecoveryStore,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** @param at on the client's clock. */
  async tell(link: Link, transactionIds: readonly string[], client: ClientSettings, at: Date): Promise<void> {
    const { clientId, id } = link;
    const first = transactionIds[0] ?? link.recoveryId;
    const found = first === null ? null : await this.store.find(clientId, first);
    const draft = await this.draft(link, transactionIds, found?.recovery ?? null, client, at);
    const recoveryId = found?.recovery.id ?? null;
    const events = draftsToJson([draft], this.ids);
    await this.database.query(
      { role: 'tenant', clientId },
      { name: 'tell_card_updated', text: TELL, values: [clientId, id, draft.id, recoveryId, events, this.clock.now()] },
    );
  }

  private async draft(
    link: Link,
    transactionIds: readonly string[],
    recovery: Recovery | null,
    client: ClientSettings,
    createdAt: Date,
  ): Promise<EventDraft> {
    const id = this.ids.prefixed('evt');
    const update = { cardUpdateId: link.id, gatewayCustomerId: link.gatewayCustomerId, transactionIds };
    const type = 'card.updated' as const;
    const common = { id, type, createdAt, heldUntil: null };
    if (recovery === null) {
      const body = composeCardUpdatedAlone({ id, createdAt, livemode: client.livemode }, update);
      return { ...common, body, isDefault: true, final: false, sequence: 0 };
    }
    const facts = eventFacts(recovery, await this.store.otherOpenOfCustomer(recovery), client.dunningEnabled);
    const { sequence } = recovery;
    const told = { ...facts, recovery: { ...facts.recovery, message: CARD_UPDATED } };
    const advice = { ...ADVICE, willRetry: transactionIds.length > 0 };
    return {
      ...common,
      ...composeEvent({ ...told, advice, id, type, createdAt, sequence, cardUpdate: update }),
      sequence,
    };
  }
}

const ADVICE = {
  recommendedAction: 'monitor',
  recommendedActionReason: 'A customer has given a new card; what is open is charged to it.',
  recommendedActionDetail: null,
} as const;
