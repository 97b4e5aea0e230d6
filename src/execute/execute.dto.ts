import { SIMULATED_OUTCOMES, type SimulatedOutcome } from '../engine/simulation.js';
import {
  Flag,
  Instant,
  Integer,
  Nested,
  NestedList,
  OneOf,
  StringPairs,
  Table,
  Text,
  TextList,
} from '../platform/http/fields.js';
import { declareField } from '../platform/http/field-rules.js';
import type { BlackoutHours } from '../recovery/blackout.js';
import type { Preset } from '../recovery/facts.js';
import { isTimeZone } from '../recovery/local-time.js';
import { VISA_REATTEMPTS_MAX, VISA_REATTEMPTS_MIN } from '../recovery/network-limits.js';
import { OWN_BLACKOUTS, OWN_SCHEDULE, type OwnSchedule } from '../recovery/own-policy.js';
import { COUNTRY_ACCEPTED, CURRENCY_ACCEPTED, type ExecuteRequest } from './execute-request.js';

/** The gateway's own token is printable ASCII without spaces: anything else was mangled on its way. */
const TOKEN = {
  max: 255,
  pattern: /^[\x21-\x7e]+$/,
  accepted: "the gateway's own token: 1 to 255 printable characters",
};
const CODE = { max: 100, pattern: /^[A-Za-z0-9_.-]+$/, accepted: 'a code of 1 to 100 letters, digits, _ . -' };
const GATEWAY_ID = {
  max: 255,
  pattern: /^[A-Za-z0-9_-]+$/,
  accepted: "a gateway's id of 1 to 255 letters, digits, _ -",
};
const CURRENCY = { max: 3, pattern: /^[A-Za-z]{3}$/, accepted: CURRENCY_ACCEPTED };
// The test gateway's forced failure (44) lies below the published floor; what else is below it is refused with the currency's own rules.
const AMOUNT = {
  min: 1,
  max: 100_000_000,
  code: 'invalid_amount',
  accepted: "an integer from 50 to 99999999, in the currency's smallest unit",
};

class PriorAttemptDto {
  @Instant({ required: true })
  at!: string;

  @Text(CODE)
  declineCode?: string;
}

class PolicyDto {
  @OneOf(['standard', 'fast', 'patient'])
  preset?: Preset;

  @Integer({ min: 1, max: 8 })
  attemptsMax?: number;

  @Instant()
  deadlineAt?: string;

  @Instant()
  notBefore?: string;

  @Text({ max: 64, check: isTimeZone, accepted: 'an IANA time zone, such as Europe/Berlin' })
  timezone?: string;

  @Integer({ min: 1, max: 31 })
  billingCycleDay?: number;

  @OneOf(['auto', 'now', 'scheduled'])
  firstCharge?: 'auto' | 'now' | 'scheduled';

  @Table('object', { accepted: OWN_SCHEDULE })
  schedule?: OwnSchedule;

  @Table('list', { accepted: OWN_BLACKOUTS })
  blackoutHours?: BlackoutHours[];

  @Integer({ min: VISA_REATTEMPTS_MIN, max: VISA_REATTEMPTS_MAX })
  visaReattemptsMax?: number;
}

/** `POST /api/recovery/execute` (openapi.yaml). */
export class ExecuteDto implements ExecuteRequest {
  @Text({ ...TOKEN, required: true })
  paymentMethodToken!: string;

  @Integer({ ...AMOUNT, required: true })
  amount!: number;

  @Text(CURRENCY)
  currency?: string;

  @Text({ max: 128 })
  idempotencyKey?: string;

  @Text(CODE)
  originalDeclineCode?: string;

  @Text(CODE)
  originalAdviceCode?: string;

  @Text(CODE)
  originalNetworkDeclineCode?: string;

  @Text(CODE)
  originalNetworkAdviceCode?: string;

  @Text(GATEWAY_ID)
  originalGatewayTransactionId?: string;

  @Instant()
  originalFailedAt?: string;

  @NestedList(() => PriorAttemptDto, { max: 100 })
  priorAttempts?: PriorAttemptDto[];

  @Text({ max: 255 })
  reference?: string;

  @Text({ max: 255 })
  customerId?: string;

  @Text(GATEWAY_ID)
  gatewayCustomerId?: string;

  @Text({ ...GATEWAY_ID, pattern: /^in_[A-Za-z0-9_]+$/, accepted: "an invoice's id, such as in_1Q…" })
  invoiceId?: string;

  @TextList({ max: 5, each: { max: TOKEN.max, pattern: TOKEN.pattern } })
  fallbackPaymentMethodTokens?: string[];

  @Flag()
  fallbackConsent?: boolean;

  @Text({ max: 64, pattern: /^[a-z0-9_]+$/, accepted: "the gateway's type, such as card or sepa_debit" })
  paymentMethodType?: string;

  @Text({ max: 2, pattern: /^[A-Za-z]{2}$/, accepted: COUNTRY_ACCEPTED })
  cardOrigin?: string;

  @Text({ max: 8, pattern: /^\d{6,8}$/, accepted: 'the first 6 to 8 digits of the card' })
  binPrefix?: string;

  @Text({ max: 254, pattern: /^[^\s@]+@[^\s@]+$/, accepted: 'an e-mail address' })
  customerEmail?: string;

  @Nested(() => PolicyDto)
  policy?: PolicyDto;

  @StringPairs(20)
  metadata?: Record<string, string>;

  @OneOf(SIMULATED_OUTCOMES)
  simulateOutcome?: SimulatedOutcome;
}

const BATCH_MAX = 1_000;

/** `POST /api/recovery/execute/batch`: each item is checked for itself, so that one bad item does not refuse the others. */
export class ExecuteBatchDto {
  @declareField({
    kind: 'list',
    required: true,
    nullable: false,
    code: 'invalid_field',
    accepted: `a list of 1 to ${BATCH_MAX} execute bodies`,
    check: (value) => Array.isArray(value) && value.length >= 1 && value.length <= BATCH_MAX,
  })
  items!: unknown[];
}
