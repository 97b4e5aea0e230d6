import { Flag, Instant, Integer, OneOf, Text, TextList } from '../platform/http/fields.js';
import { declareField } from '../platform/http/field-rules.js';
import { URL_LENGTH_MAX } from '../platform/egress/url-rules.js';
import { EVENT_TYPES, isEventType, type EventType } from './event-types.js';
import { STATIC_HEADERS_ACCEPTED, areStaticHeaders } from './static-headers.js';

export const EFFECT_TRACKING = ['off', 'result', 'receipt_and_result'] as const;
export type EffectTracking = (typeof EFFECT_TRACKING)[number];

export const DELIVERY_STATUSES = [
  'held',
  'pending',
  'delivered',
  'superseded',
  'exhausted',
  'endpoint_disabled',
  'endpoint_deleted',
] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What a merchant may set of an endpoint. The URL is held to the operator's rules afterwards. */
class EndpointSettingsBody {
  @TextList({
    nullable: true,
    max: EVENT_TYPES.length,
    each: { max: 64, check: isEventType },
    accepted: `a list of different events out of ${EVENT_TYPES.join(', ')}`,
  })
  events?: EventType[] | null;

  @Text({ max: 255, nullable: true })
  description?: string | null;

  @Flag()
  enabled?: boolean;

  @declareField({
    kind: 'pairs',
    required: false,
    nullable: false,
    code: 'invalid_field',
    accepted: STATIC_HEADERS_ACCEPTED,
    check: areStaticHeaders,
  })
  headers?: Record<string, string>;

  @OneOf(EFFECT_TRACKING)
  effectTracking?: EffectTracking;

  @Flag()
  consolidate?: boolean;
}

export class CreateEndpointBody extends EndpointSettingsBody {
  @Text({ max: URL_LENGTH_MAX, required: true })
  url!: string;
}

export class UpdateEndpointBody extends EndpointSettingsBody {
  @Text({ max: URL_LENGTH_MAX })
  url?: string;
}

const OVERLAP_HOURS_MAX = 168;

export class RotateSecretBody {
  @Integer({ min: 0, max: OVERLAP_HOURS_MAX })
  overlapHours: number = 24;
}

export class RecoverBody {
  @Instant({ required: true })
  since!: string;

  /** Counts and sends nothing. */
  @Flag()
  dryRun: boolean = false;
}

export class EndpointsQuery {
  @Text({ max: 64 })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit: number = 50;
}

export class DeliveriesQuery extends EndpointsQuery {
  @OneOf(DELIVERY_STATUSES)
  status?: DeliveryStatus;

  @OneOf(EVENT_TYPES)
  event?: EventType;

  @Text({ max: 26 })
  transactionId?: string;

  @Text({ max: 64 })
  endpointId?: string;

  @Text({ max: 64 })
  resendId?: string;

  @Instant()
  createdFrom?: string;

  @Instant()
  createdTo?: string;
}

/** What of the log can be sent again: what is on its way is, and what is superseded is no longer true. */
export const REDELIVERABLE = ['delivered', 'exhausted', 'endpoint_disabled'] as const;

export class RedeliverManyBody {
  @TextList({ max: 200, each: { max: 64 } })
  deliveryIds?: string[];

  @OneOf(REDELIVERABLE)
  status?: (typeof REDELIVERABLE)[number];

  @OneOf(EVENT_TYPES)
  event?: EventType;

  @Text({ max: 26 })
  transactionId?: string;

  @Text({ max: 64 })
  endpointId?: string;

  @Instant()
  createdFrom?: string;

  @Instant()
  createdTo?: string;

  /** Counts and sends nothing. */
  @Flag()
  dryRun: boolean = false;
}

export type RedeliverFilter = Omit<RedeliverManyBody, 'dryRun'>;

export class SummaryQuery {
  @Instant()
  from?: string;

  @Instant()
  to?: string;
}
