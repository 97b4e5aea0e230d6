import { Instant, Integer, OneOf, Text } from '../platform/http/fields.js';
import { STATES, type State } from '../recovery/facts.js';

/** `GET /api/recovery` (openapi.yaml). Amounts in minor units. */
export class ListRecoveriesDto {
  @OneOf(STATES)
  state?: State;

  @Text({ max: 255 })
  declineCode?: string;

  @Text({ max: 255 })
  customerId?: string;

  @Text({ max: 255 })
  reference?: string;

  @Instant()
  createdFrom?: string;

  @Instant()
  createdTo?: string;

  @Integer({ min: 0, max: 100_000_000 })
  minAmount?: number;

  @Text({ max: 26 })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit?: number;
}

export class TimelineDto {
  @Text({ max: 20, pattern: /^\d+$/, accepted: 'the sequence of the last row' })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit?: number;
}

export class StatusQueryDto {
  @Text({ max: 255, required: true })
  idempotencyKey!: string;
}
