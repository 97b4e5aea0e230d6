import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { clientNow } from '../clients/client-settings.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import type { EgressAnswer } from '../platform/egress/egress-client.js';
import { Ids } from '../platform/ids.js';
import { CLEAR_TROUBLE } from './endpoint.repository.js';
import type { SealedEndpoint } from './endpoint-secrets.js';
import { composeTestEvent } from './event-body.js';
import { excerptOf } from './response-excerpt.js';
import { Sender } from './sender.js';

/** What a ping came to. The class of the status and no more, so that it can not be used to read what others serve. */
export interface PingResult {
  eventId: string;
  delivered: boolean;
  statusClass: '2xx' | '3xx' | '4xx' | '5xx' | null;
  error: string | null;
  durationMs: number;
}

const RECORD = `
  WITH told AS (
    INSERT INTO webhook_events (client_id, id, type, is_default, body, created_at)
    VALUES ($1, $2, 'webhook.test', false, $3, $4)),
  tried AS (
    INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, status, try_count, schedule_step, last_status,
      last_error, delivered_at, created_at, updated_at)
    VALUES ($1, $5, $2, $6, CASE WHEN $7 THEN 'delivered' ELSE 'exhausted' END, 1, CASE WHEN $7 THEN 0 ELSE 1 END, $8, $9,
      CASE WHEN $7 THEN $11::timestamptz END, $10, $11))
  INSERT INTO webhook_tries (client_id, delivery_id, number, at, duration_ms, status, error, response_excerpt)
  VALUES ($1, $5, 1, $10, $12, $8, $9, $13)`;

/** Sends `webhook.test` to an endpoint, at once and once, whether or not it is enabled. */
@Injectable()
export class Pings {
  constructor(
    private readonly database: Database,
    private readonly sender: Sender,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  async ping({ settings }: Caller, endpoint: SealedEndpoint): Promise<PingResult> {
    const eventId = this.ids.prefixed('evt');
    const startedAt = this.clock.now();
    const createdAt = clientNow(settings, startedAt);
    const body = composeTestEvent({ id: eventId, createdAt, livemode: settings.livemode });
    const answer = await this.sender.send(endpoint, { eventId, body, tryNumber: 1, endpointSequence: null });
    const result = resultOf(eventId, answer);
    const status = answer.kind === 'answered' ? answer.status : null;
    const excerpt = answer.kind === 'answered' && !result.delivered ? excerptOf(answer.excerpt) : null;
    const { clientId, id } = endpoint;
    const realNow = this.clock.now();
    const record = {
      text: RECORD,
      values: [
        ...[clientId, eventId, body, createdAt, this.ids.prefixed('dlv'), id, result.delivered],
        ...[status, result.error, startedAt, realNow, answer.durationMs, excerpt],
      ],
    };
    // It answers: its breaker need not wait for a probe.
    const heal = { text: CLEAR_TROUBLE, values: [clientId, id, realNow] };
    await this.database.flight({ role: 'tenant', clientId }, result.delivered ? [record, heal] : [record]);
    return result;
  }
}

function resultOf(eventId: string, answer: EgressAnswer): PingResult {
  const { durationMs } = answer;
  if (answer.kind === 'no_answer') {
    return { eventId, delivered: false, statusClass: null, error: answer.text, durationMs };
  }
  const statusClass = classOf(answer.status);
  return { eventId, delivered: statusClass === '2xx', statusClass, error: null, durationMs };
}

function classOf(status: number): PingResult['statusClass'] {
  if (status < 300) return '2xx';
  if (status < 400) return '3xx';
  return status < 500 ? '4xx' : '5xx';
}
