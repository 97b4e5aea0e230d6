import type { Config } from '../platform/config.js';
import type { AlertTargets } from './alert-targets.js';
import type { ClientSettings, NotificationChannel } from './client-settings.js';

export type ChannelTargets = Pick<ClientSettings, 'alertWebhookUrl' | 'alertEmails' | 'alertPhones'> &
  Omit<AlertTargets, 'alertSettings'>;
export type ChannelServer = Pick<Config, 'smtpUrl' | 'alertFrom' | 'twilio'>;

/** What a channel asked for still lacks, of the server's settings or of the client's, such as `EMAIL: SMTP_URL is not set`. */
export function channelWarnings(
  client: ChannelTargets & Pick<ClientSettings, 'notificationChannels'>,
  server: ChannelServer,
): string[] {
  return client.notificationChannels.flatMap((channel) =>
    missingOf(channel, client, server).map((name) => `${channel}: ${name} is not set`),
  );
}

/** The names of the settings that one channel lacks; none, when it can be used. */
export function missingOf(channel: NotificationChannel, client: ChannelTargets, server: ChannelServer): string[] {
  return MISSING[channel](client, server).filter((name) => name !== '');
}

const MISSING: Record<NotificationChannel, (client: ChannelTargets, server: ChannelServer) => string[]> = {
  WEBHOOK: ({ alertWebhookUrl, alertWebhookSecretSealed }) => [
    unless(alertWebhookUrl, 'alertWebhookUrl'),
    // An account older than signed alerts has none; setting the URL again makes one.
    alertWebhookUrl === null ? '' : unless(alertWebhookSecretSealed, 'alertWebhookSigningSecret'),
  ],
  EMAIL: ({ alertEmails }, { smtpUrl, alertFrom }) => [
    unless(smtpUrl, 'SMTP_URL'),
    unless(alertFrom, 'ALERT_FROM'),
    unless(alertEmails[0], 'alertEmails'),
  ],
  SMS: ({ alertPhones }, { twilio }) => [
    unless(twilio.accountSid, 'TWILIO_ACCOUNT_SID'),
    unless(twilio.authToken, 'TWILIO_AUTH_TOKEN'),
    unless(twilio.from, 'TWILIO_FROM'),
    unless(alertPhones[0], 'alertPhones'),
  ],
  SLACK: ({ alertSlackUrlSealed }) => [unless(alertSlackUrlSealed, 'alertSlackUrl')],
  PAGERDUTY: ({ alertPagerDutyKeySealed }) => [unless(alertPagerDutyKeySealed, 'alertPagerDutyKey')],
};

function unless(present: unknown, name: string): string {
  return present ? '' : name;
}
