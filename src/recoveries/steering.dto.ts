import { CURRENCY_ACCEPTED } from '../execute/execute-request.js';
import { Integer, Nested, OneOf, Text } from '../platform/http/fields.js';

export const CANCEL_REASONS = ['paid_elsewhere', 'abandoned', 'customer_request'] as const;
export type CancelReason = (typeof CANCEL_REASONS)[number];

export class CancelDto {
  @OneOf(CANCEL_REASONS, { required: true })
  reason!: CancelReason;
}

/** `POST …/retry` takes no field. */
export class RetryDto {
  @Text({ max: 128 })
  idempotencyKey?: string;
}

export class PaymentMethodDto {
  @Text({
    max: 255,
    required: true,
    pattern: /^[\x21-\x7e]+$/,
    accepted: "the gateway's own token: 1 to 255 printable characters",
  })
  paymentMethodToken!: string;

  @Text({ max: 128 })
  idempotencyKey?: string;
}

class EvidenceDto {
  @Text({ max: 255, pattern: /^[A-Za-z0-9_-]+$/, accepted: "a gateway's id, such as pi_… or ch_…" })
  gatewayId?: string;

  /** Kept on the timeline: how this is known. */
  @Text({ max: 500, required: true })
  note!: string;
}

export class ResolveDto {
  @OneOf(['succeeded', 'not_executed'], { required: true })
  outcome!: 'succeeded' | 'not_executed';

  @Nested(() => EvidenceDto, { required: true })
  evidence!: EvidenceDto;
}

export class PulseDto {
  @Integer({ min: 1, max: 99_999_999, required: true, code: 'invalid_amount' })
  amount!: number;

  @Text({ max: 3, pattern: /^[A-Za-z]{3}$/, accepted: CURRENCY_ACCEPTED, required: true })
  currency!: string;

  @Text({ max: 255 })
  transactionId?: string;
}
