import type { NotificationChannel } from './client-settings.js';

/** Everything a client's team can be told of; a kind that is not listed here is told all the same, by its own name. */
export const ALERT_KINDS = [
  'recovery_failed',
  'recovery_blocked',
  'charge_unknown_for_long',
  'late_success',
  'paid_twice',
  'money_held',
  'webhook_endpoint_failing',
  'webhook_endpoint_disabled',
  'credentials_refused',
  'network_limit_reached',
  'unusual_decline_rate',
  'queue_behind',
  'work_parked',
  'incident_open',
  'connector_failing',
  'platform_retries_on',
  'payment_reversed',
  'configuration_error',
  'unlisted_decline_code',
  'unmapped_gateway_answer',
  'alert_channel_failing',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** `grouped` tells within half a minute, `digest` once a day, `off` never. What is critical is never left to a digest. */
export type AlertMode = 'grouped' | 'digest' | 'off';

export interface AlertKindSettings {
  mode?: AlertMode;
  /** In place of all the client's channels; naming SMS or PAGERDUTY sends what is not critical there, too. */
  channels?: NotificationChannel[];
}

/** What a client chose about its alerts. Everything has a default. */
export interface AlertSettings {
  /** Wall-clock times `HH:MM` in the client's zone; what is not critical waits for their end. */
  quietHours?: { from: string; to: string } | null;
  /** The full hour of the client's zone at which a digest is sent; 8 unless given. */
  digestHour?: number;
  /** Messages an hour and channel, at most. */
  hourlyCaps?: Partial<Record<NotificationChannel, number>>;
  kinds?: Partial<Record<AlertKind, AlertKindSettings>>;
}
