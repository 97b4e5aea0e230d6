import { Integer, Nested, OneOf, Text, TextList } from '../platform/http/fields.js';
import { ALERT_KINDS, type AlertMode, type AlertSettings } from './alert-settings.js';
import { NOTIFICATION_CHANNELS, type NotificationChannel } from './client-settings.js';

const TIME_OF_DAY = { max: 5, pattern: /^([01]\d|2[0-3]):[0-5]\d$/, accepted: 'a time of day, such as 22:00' };
const CAP_MAX = 1_000;

class QuietHoursBody {
  @Text({ ...TIME_OF_DAY, required: true })
  from!: string;

  @Text({ ...TIME_OF_DAY, required: true })
  to!: string;
}

class HourlyCapsBody {
  [channel: string]: number | undefined;
}
for (const channel of NOTIFICATION_CHANNELS) Integer({ min: 1, max: CAP_MAX })(HourlyCapsBody.prototype, channel);

class AlertKindBody {
  @OneOf(['grouped', 'digest', 'off'])
  mode?: AlertMode;

  @TextList({
    max: NOTIFICATION_CHANNELS.length,
    each: { max: 9, check: (text) => NOTIFICATION_CHANNELS.some((channel) => channel === text) },
    accepted: `a list of ${NOTIFICATION_CHANNELS.join(', ')}`,
  })
  channels?: NotificationChannel[];
}

class AlertKindsBody {
  [kind: string]: AlertKindBody | undefined;
}
for (const kind of ALERT_KINDS) Nested(() => AlertKindBody)(AlertKindsBody.prototype, kind);

/** `alertSettings` of a client. */
export class AlertSettingsBody implements AlertSettings {
  @Nested(() => QuietHoursBody, { nullable: true })
  quietHours?: { from: string; to: string } | null;

  @Integer({ min: 0, max: 23 })
  digestHour?: number;

  @Nested(() => HourlyCapsBody)
  hourlyCaps?: Partial<Record<NotificationChannel, number>>;

  @Nested(() => AlertKindsBody)
  kinds?: NonNullable<AlertSettings['kinds']>;
}
