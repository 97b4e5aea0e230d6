import type { SealIdentity, Vault } from '../platform/crypto/vault.js';
import type { Random } from '../platform/random.js';
import type { AlertSettings } from './alert-settings.js';

/** Where a client's alerts go, beyond its plain settings. What lets its holder write there is sealed. */
export interface AlertTargets {
  alertSettings: AlertSettings;
  alertWebhookSecretSealed: Buffer | null;
  alertSlackUrlSealed: Buffer | null;
  alertPagerDutyKeySealed: Buffer | null;
}

export type SealedTarget = 'alert_webhook_secret_sealed' | 'alert_slack_url_sealed' | 'alert_pagerduty_key_sealed';

/** What a client's alert target is bound to: in another row or column it does not open. */
export function alertTargetIdentity(clientId: string, column: SealedTarget): SealIdentity {
  return { clientId, table: 'clients', row: clientId, column };
}

/** The fields of a body that name such targets. */
export interface TargetFields {
  alertWebhookUrl?: string | null;
  alertSlackUrl?: string | null;
  alertPagerDutyKey?: string | null;
}

export interface SealedTargets {
  columns: Partial<Omit<AlertTargets, 'alertSettings'>>;
  /** Clear text of a secret that was made just now: shown once. */
  webhookSecret: string | null;
}

/**
 * Seals what a body names. The first `alertWebhookUrl` brings a signing secret with it, which later ones keep; taking
 * the URL away takes the secret, so that the next one gets another.
 */
export function sealTargets(
  clientId: string,
  fields: TargetFields,
  before: Pick<AlertTargets, 'alertWebhookSecretSealed'> | null,
  { vault, random }: { vault: Vault; random: Random },
): SealedTargets {
  const seal = (text: string | null, column: SealedTarget) =>
    text === null ? null : vault.seal(text, alertTargetIdentity(clientId, column));
  const { alertWebhookUrl, alertSlackUrl, alertPagerDutyKey } = fields;
  const columns: SealedTargets['columns'] = {};
  if (alertSlackUrl !== undefined) columns.alertSlackUrlSealed = seal(alertSlackUrl, 'alert_slack_url_sealed');
  if (alertPagerDutyKey !== undefined) {
    columns.alertPagerDutyKeySealed = seal(alertPagerDutyKey, 'alert_pagerduty_key_sealed');
  }
  if (alertWebhookUrl === null) columns.alertWebhookSecretSealed = null;
  if (alertWebhookUrl == null || before?.alertWebhookSecretSealed) return { columns, webhookSecret: null };
  const webhookSecret = `whsec_${random.bytes(32).toString('base64')}`;
  columns.alertWebhookSecretSealed = seal(webhookSecret, 'alert_webhook_secret_sealed');
  return { columns, webhookSecret };
}
