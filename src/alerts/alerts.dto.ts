import { NOTIFICATION_CHANNELS, type NotificationChannel } from '../clients/client-settings.js';
import { Integer, OneOf, Text } from '../platform/http/fields.js';

export const MESSAGE_STATUSES = ['queued', 'sent', 'failed', 'opted_out'] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** A page of the log of alerts. */
export class AlertsQuery {
  @OneOf(MESSAGE_STATUSES)
  status?: MessageStatus;

  @OneOf(NOTIFICATION_CHANNELS)
  channel?: NotificationChannel;

  @Text({ max: 64 })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit: number = 50;
}

export class TestAlertBody {
  @OneOf(NOTIFICATION_CHANNELS)
  channel?: NotificationChannel;
}
