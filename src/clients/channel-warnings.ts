import type { Config } from '../platform/config.js';
import type { ClientSettings } from './client-settings.js';

type Channels = Pick<ClientSettings, 'notificationChannels' | 'alertWebhookUrl' | 'alertEmails' | 'alertPhones'>;
type Server = Pick<Config, 'smtpUrl' | 'alertFrom' | 'twilio'>;

/** What a channel asked for still lacks, of the server's settings or of the client's, such as `EMAIL: SMTP_URL is not set`. */
export function channelWarnings(client: Channels, server: Server): string[] {
  return client.notificationChannels.flatMap((channel) => {
    const missing = MISSING[channel](client, server).filter((name) => name !== '');
    return missing.map((name) => `${channel}: ${name} is not set`);
  });
}

const MISSING: Record<ClientSettings['notificationChannels'][number], (client: Channels, server: Server) => string[]> =
  {
    WEBHOOK: ({ alertWebhookUrl }) => [unless(alertWebhookUrl, 'alertWebhookUrl')],
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
  };

function unless(present: string | null | undefined, name: string): string {
  return present ? '' : name;
}
