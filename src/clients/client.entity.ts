import { Column, Entity, PrimaryColumn, type ValueTransformer } from 'typeorm';

import type { AlertSettings } from './alert-settings.js';
import type { AlertTargets } from './alert-targets.js';
import type { ClientPolicy, ClientSettings, NotificationChannel } from './client-settings.js';

// PostgreSQL gives a bigint as text. 2^53 ms are 285,000 years: no clock of ours is moved so far.
const BIGINT: ValueTransformer = { to: (value: number) => value, from: (value: string) => Number(value) };

/** A merchant account: its settings, and its gateway's secrets, sealed. */
@Entity('clients')
export class ClientEntity implements ClientSettings, AlertTargets {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'text', name: 'gateway_provider' })
  gatewayProvider!: 'test' | 'stripe';

  @Column({ type: 'bytea', name: 'gateway_key_sealed' })
  gatewayKeySealed!: Buffer;

  @Column({ type: 'bytea', name: 'gateway_webhook_secret_sealed', nullable: true })
  gatewayWebhookSecretSealed!: Buffer | null;

  @Column({ type: 'boolean' })
  livemode!: boolean;

  @Column({ type: 'boolean', name: 'is_test' })
  isTest!: boolean;

  @Column({ type: 'bigint', name: 'clock_offset_ms', transformer: BIGINT })
  clockOffsetMs!: number;

  @Column({ type: 'timestamptz', name: 'clock_frozen_at', nullable: true })
  clockFrozenAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'clock_frozen_until', nullable: true })
  clockFrozenUntil!: Date | null;

  @Column({ type: 'smallint', name: 'billing_cycle_day', nullable: true })
  billingCycleDay!: number | null;

  @Column({ type: 'text', nullable: true })
  timezone!: string | null;

  @Column({ type: 'boolean', name: 'dunning_enabled' })
  dunningEnabled!: boolean;

  @Column({ type: 'text', name: 'notification_channels', array: true })
  notificationChannels!: NotificationChannel[];

  @Column({ type: 'text', name: 'alert_webhook_url', nullable: true })
  alertWebhookUrl!: string | null;

  @Column({ type: 'text', name: 'alert_emails', array: true })
  alertEmails!: string[];

  @Column({ type: 'text', name: 'alert_phones', array: true })
  alertPhones!: string[];

  @Column({ type: 'jsonb', name: 'alert_settings' })
  alertSettings!: AlertSettings;

  @Column({ type: 'bytea', name: 'alert_webhook_secret_sealed', nullable: true })
  alertWebhookSecretSealed!: Buffer | null;

  @Column({ type: 'bytea', name: 'alert_slack_url_sealed', nullable: true })
  alertSlackUrlSealed!: Buffer | null;

  @Column({ type: 'bytea', name: 'alert_pagerduty_key_sealed', nullable: true })
  alertPagerDutyKeySealed!: Buffer | null;

  @Column({ type: 'text', name: 'card_update_domain', nullable: true })
  cardUpdateDomain!: string | null;

  @Column({ type: 'text', name: 'brand_name', nullable: true })
  brandName!: string | null;

  @Column({ type: 'text', name: 'brand_logo_url', nullable: true })
  brandLogoUrl!: string | null;

  @Column({ type: 'text', name: 'brand_primary_color', nullable: true })
  brandPrimaryColor!: string | null;

  @Column({ type: 'text', name: 'default_currency' })
  defaultCurrency!: string;

  @Column({ type: 'text' })
  locale!: string;

  @Column({ type: 'text', name: 'duplicate_requests' })
  duplicateRequests!: 'replay' | 'reject';

  @Column({ type: 'integer', name: 'customer_action_hold_minutes' })
  customerActionHoldMinutes!: number;

  @Column({ type: 'text' })
  mode!: 'observe' | 'recover' | 'fill';

  @Column({ type: 'text', name: 'repair_callback_url', nullable: true })
  repairCallbackUrl!: string | null;

  @Column({ type: 'smallint', name: 'holdout_percent' })
  holdoutPercent!: number;

  @Column({ type: 'integer', name: 'executes_per_minute' })
  executesPerMinute!: number;

  @Column({ type: 'jsonb' })
  policy!: ClientPolicy;

  @Column({ type: 'timestamptz', name: 'charging_paused_since', nullable: true })
  chargingPausedSince!: Date | null;

  @Column({ type: 'timestamptz', name: 'charging_probe_at', nullable: true })
  chargingProbeAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}
