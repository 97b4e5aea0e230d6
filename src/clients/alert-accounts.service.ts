import { Injectable } from '@nestjs/common';

import type { Config } from '../platform/config.js';
import { Vault } from '../platform/crypto/vault.js';
import type { Transaction } from '../platform/db/database.js';
import type { AlertSettings } from './alert-settings.js';
import { type AlertTargets, alertTargetIdentity, type SealedTarget } from './alert-targets.js';
import { missingOf } from './channel-warnings.js';
import type { ClientSettings, NotificationChannel } from './client-settings.js';

/** What alerts depend on of the server's settings. */
export abstract class AlertServer implements Pick<Config, 'smtpUrl' | 'alertFrom' | 'twilio' | 'pagerDutyApiBase'> {
  abstract readonly smtpUrl: string | null;
  abstract readonly alertFrom: string | null;
  abstract readonly twilio: Config['twilio'];
  abstract readonly pagerDutyApiBase: string;
}

/** A client as its alerts see it. */
export interface AlertAccount {
  clientId: string;
  name: string;
  livemode: boolean;
  isTest: boolean;
  locale: string;
  timezone: string | null;
  settings: AlertSettings;
  emails: string[];
  phones: string[];
  webhookUrl: string | null;
  /** The channels asked for, in the client's order, with the settings each still lacks. */
  channels: { channel: NotificationChannel; missing: string[] }[];
  sealed: Omit<AlertTargets, 'alertSettings'>;
}

type AccountRow = Pick<ClientSettings, 'name' | 'livemode' | 'isTest' | 'locale' | 'timezone' | 'alertWebhookUrl'> &
  Pick<ClientSettings, 'alertEmails' | 'alertPhones' | 'notificationChannels'> &
  AlertTargets;

const FIND = `
  SELECT name, livemode, is_test AS "isTest", locale, timezone, notification_channels AS "notificationChannels",
    alert_webhook_url AS "alertWebhookUrl", alert_emails AS "alertEmails", alert_phones AS "alertPhones",
    alert_settings AS "alertSettings", alert_webhook_secret_sealed AS "alertWebhookSecretSealed",
    alert_slack_url_sealed AS "alertSlackUrlSealed", alert_pagerduty_key_sealed AS "alertPagerDutyKeySealed"
  FROM clients WHERE id = $1`;

/** Where a client's alerts go, read anew each time: a changed address holds from the next message on. */
@Injectable()
export class AlertAccounts {
  constructor(
    private readonly vault: Vault,
    private readonly server: AlertServer,
  ) {}

  /** Null when there is no such client. */
  async read(tx: Transaction, clientId: string): Promise<AlertAccount | null> {
    const { rows } = await tx.query<AccountRow>({ text: FIND, values: [clientId] });
    const [row] = rows;
    if (!row) return null;
    const { alertWebhookSecretSealed, alertSlackUrlSealed, alertPagerDutyKeySealed } = row;
    return {
      clientId,
      name: row.name,
      livemode: row.livemode,
      isTest: row.isTest,
      locale: row.locale,
      timezone: row.timezone,
      settings: row.alertSettings,
      emails: row.alertEmails,
      phones: row.alertPhones,
      webhookUrl: row.alertWebhookUrl,
      channels: row.notificationChannels.map((channel) => ({ channel, missing: missingOf(channel, row, this.server) })),
      sealed: { alertWebhookSecretSealed, alertSlackUrlSealed, alertPagerDutyKeySealed },
    };
  }

  /** A sealed target in clear text, for the call at hand only; null when it is not set. */
  open({ clientId, sealed }: AlertAccount, column: SealedTarget): string | null {
    const bytes = {
      alert_webhook_secret_sealed: sealed.alertWebhookSecretSealed,
      alert_slack_url_sealed: sealed.alertSlackUrlSealed,
      alert_pagerduty_key_sealed: sealed.alertPagerDutyKeySealed,
    }[column];
    return bytes && this.vault.open(bytes, alertTargetIdentity(clientId, column));
  }
}
