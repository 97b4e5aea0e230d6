import { Flag, Integer, Nested, OneOf, Table, Text, TextList } from '../platform/http/fields.js';
import type { BlackoutHours } from '../recovery/blackout.js';
import { VISA_REATTEMPTS_MAX, VISA_REATTEMPTS_MIN } from '../recovery/network-limits.js';
import { OWN_BLACKOUTS, OWN_SCHEDULE, type OwnSchedule } from '../recovery/own-policy.js';
import { ATTEMPTS_MAX } from '../recovery/policy.js';
import { isTimeZone } from '../recovery/local-time.js';
import { isCurrency } from '../recovery/money.js';
import { AlertSettingsBody } from './alert-settings.dto.js';
import type { AlertSettings } from './alert-settings.js';
import { isPhoneNumber } from './phone-number.js';
import { KEY_KINDS, type KeyKind } from './caller.js';
import { type ClientPolicy, NOTIFICATION_CHANNELS, type NotificationChannel } from './client-settings.js';

const EMAIL =
  /^[^\s@<>,;"]{1,64}@(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$/;
const DOMAIN = /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$/;
const HOLD_MINUTES_MAX = 7 * 24 * 60;
const URL_MAX = 2_048;

/** What a header can carry: a key that no call can be made with would look like a gateway that is silent. */
const PRINTABLE = '[\\x21-\\x7e]+';

export class GatewayBody {
  @OneOf(['test', 'stripe'], { required: true })
  provider!: 'test' | 'stripe';

  @Text({
    max: 255,
    pattern: new RegExp(`^(sk|rk)_(test|live)_${PRINTABLE}$`),
    accepted: 'a Stripe key: sk_test_…, sk_live_…, rk_test_… or rk_live_…',
  })
  secretKey?: string;

  @Text({
    max: 255,
    pattern: new RegExp(`^whsec_${PRINTABLE}$`),
    accepted: "the signing secret of Stripe's webhooks: whsec_…",
  })
  webhookSecret?: string;
}

class PolicyBody implements ClientPolicy {
  @OneOf(['standard', 'fast', 'patient'])
  preset?: 'standard' | 'fast' | 'patient';

  @Integer({ min: 1, max: ATTEMPTS_MAX })
  attemptsMax?: number;

  @OneOf(['auto', 'now', 'scheduled'])
  firstCharge?: 'auto' | 'now' | 'scheduled';

  @Table('object', { accepted: OWN_SCHEDULE })
  schedule?: OwnSchedule;

  @Table('list', { accepted: OWN_BLACKOUTS })
  blackoutHours?: BlackoutHours[];

  @Integer({ min: VISA_REATTEMPTS_MIN, max: VISA_REATTEMPTS_MAX })
  visaReattemptsMax?: number;
}

/** What a client may set about itself. URLs are checked once more against the operator's rules. */
class SettingsBody {
  @Nested(() => GatewayBody)
  gateway?: GatewayBody;

  @Integer({ min: 1, max: 31, nullable: true })
  billingCycleDay?: number | null;

  @Text({ max: 64, nullable: true, check: isTimeZone, accepted: 'an IANA time zone, such as Europe/Berlin' })
  timezone?: string | null;

  @Flag()
  dunningEnabled?: boolean;

  @TextList({
    max: NOTIFICATION_CHANNELS.length,
    each: { max: 9, check: (text) => NOTIFICATION_CHANNELS.some((channel) => channel === text) },
    accepted: `a list of ${NOTIFICATION_CHANNELS.join(', ')}`,
  })
  notificationChannels?: NotificationChannel[];

  @Text({ max: URL_MAX, nullable: true })
  alertWebhookUrl?: string | null;

  @TextList({ max: 20, each: { max: 254, pattern: EMAIL }, accepted: 'up to 20 e-mail addresses' })
  alertEmails?: string[];

  @TextList({
    max: 20,
    each: { max: 16, check: isPhoneNumber },
    accepted: 'up to 20 phone numbers in E.164, such as +4930123456',
  })
  alertPhones?: string[];

  @Text({ max: URL_MAX, nullable: true })
  alertSlackUrl?: string | null;

  @Text({
    max: 64,
    nullable: true,
    pattern: /^[A-Za-z0-9]{20,64}$/,
    accepted: 'the routing key of a PagerDuty service: 20 to 64 letters and digits',
  })
  alertPagerDutyKey?: string | null;

  @Nested(() => AlertSettingsBody)
  alertSettings?: AlertSettings;

  @Text({ max: 253, nullable: true, pattern: DOMAIN, accepted: 'a domain, such as pay.example.com' })
  cardUpdateDomain?: string | null;

  @Text({ max: 255, nullable: true })
  brandName?: string | null;

  @Text({ max: URL_MAX, nullable: true })
  brandLogoUrl?: string | null;

  @Text({ max: 7, nullable: true, pattern: /^#[0-9A-Fa-f]{6}$/, accepted: 'a colour such as #1A73E8' })
  brandPrimaryColor?: string | null;

  @Text({ max: 3, check: isCurrency, accepted: 'an ISO 4217 code in capitals, such as USD' })
  defaultCurrency?: string;

  @Text({ min: 2, max: 35, check: isLocale, accepted: 'a BCP 47 language tag, such as en or de-AT' })
  locale?: string;

  @OneOf(['replay', 'reject'])
  duplicateRequests?: 'replay' | 'reject';

  @Integer({ min: 0, max: HOLD_MINUTES_MAX })
  customerActionHoldMinutes?: number;

  @OneOf(['observe', 'recover', 'fill'])
  mode?: 'observe' | 'recover' | 'fill';

  @Text({ max: URL_MAX, nullable: true })
  repairCallbackUrl?: string | null;

  @Integer({ min: 0, max: 50 })
  holdoutPercent?: number;

  @Integer({ min: 1, max: 1_000_000 })
  executesPerMinute?: number;

  @Nested(() => PolicyBody)
  policy?: ClientPolicy;
}

export class CreateClientBody extends SettingsBody {
  @Text({ max: 255, required: true })
  name!: string;

  @Nested(() => GatewayBody, { required: true })
  declare gateway: GatewayBody;

  @Text({ max: URL_MAX })
  webhookUrl?: string;
}

export class UpdateClientBody extends SettingsBody {
  @Text({ max: 255 })
  name?: string;
}

export class CreateKeyBody {
  @OneOf(KEY_KINDS, { required: true })
  kind!: KeyKind;

  @Text({ max: 255 })
  name?: string;
}

/** A page of a list. */
export class PageQuery {
  @Text({ max: 64 })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit: number = 50;
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
