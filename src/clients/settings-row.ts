import type { ClientSettings } from './client-settings.js';

/** One row of `clients`, settings only, as SETTINGS_SQL reads it. */
export type SettingsRow = Omit<ClientSettings, 'clockOffsetMs'> & { clockOffsetMs: string };

export const COLUMNS: Readonly<Record<keyof ClientSettings, string>> = {
  id: 'id',
  name: 'name',
  gatewayProvider: 'gateway_provider',
  livemode: 'livemode',
  isTest: 'is_test',
  clockOffsetMs: 'clock_offset_ms',
  clockFrozenAt: 'clock_frozen_at',
  clockFrozenUntil: 'clock_frozen_until',
  billingCycleDay: 'billing_cycle_day',
  timezone: 'timezone',
  dunningEnabled: 'dunning_enabled',
  notificationChannels: 'notification_channels',
  alertWebhookUrl: 'alert_webhook_url',
  alertEmails: 'alert_emails',
  alertPhones: 'alert_phones',
  cardUpdateDomain: 'card_update_domain',
  brandName: 'brand_name',
  brandLogoUrl: 'brand_logo_url',
  brandPrimaryColor: 'brand_primary_color',
  defaultCurrency: 'default_currency',
  locale: 'locale',
  duplicateRequests: 'duplicate_requests',
  customerActionHoldMinutes: 'customer_action_hold_minutes',
  mode: 'mode',
  repairCallbackUrl: 'repair_callback_url',
  holdoutPercent: 'holdout_percent',
  executesPerMinute: 'executes_per_minute',
  policy: 'policy',
  chargingPausedSince: 'charging_paused_since',
  chargingProbeAt: 'charging_probe_at',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
};

/** The settings of `clients c`, for hot paths that write their own SQL. */
export const SETTINGS_SQL = Object.entries(COLUMNS)
  .map(([property, column]) => `c.${column} AS "${property}"`)
  .join(', ');

/** The settings of such a row; take columns of your own off it first. */
export function settingsFromRow(row: SettingsRow): ClientSettings {
  return { ...row, clockOffsetMs: Number(row.clockOffsetMs) };
}
