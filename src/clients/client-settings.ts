import type { BlackoutHours } from '../recovery/blackout.js';
import type { OwnSchedule } from '../recovery/own-policy.js';
/** What a merchant chose, with nothing sealed in it: every column of `clients` but the gateway's secrets. */
export interface ClientSettings {
  id: string;
  name: string;
  gatewayProvider: 'test' | 'stripe';
  livemode: boolean;
  /** Its clock may be moved (docs/behaviour.md 7). */
  isTest: boolean;
  clockOffsetMs: number;
  clockFrozenAt: Date | null;
  clockFrozenUntil: Date | null;
  /** 1–31; null means Friday is the weekly payday. */
  billingCycleDay: number | null;
  /** IANA; null means the main zone of the card's country, else UTC. */
  timezone: string | null;
  dunningEnabled: boolean;
  notificationChannels: NotificationChannel[];
  alertWebhookUrl: string | null;
  alertEmails: string[];
  alertPhones: string[];
  cardUpdateDomain: string | null;
  brandName: string | null;
  brandLogoUrl: string | null;
  brandPrimaryColor: string | null;
  defaultCurrency: string;
  locale: string;
  duplicateRequests: 'replay' | 'reject';
  customerActionHoldMinutes: number;
  mode: 'observe' | 'recover' | 'fill';
  repairCallbackUrl: string | null;
  /** 0–50. */
  holdoutPercent: number;
  executesPerMinute: number;
  policy: ClientPolicy;
  /** Set while the gateway refuses this client's credentials: nothing is charged but a probe. */
  chargingPausedSince: Date | null;
  chargingProbeAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export const NOTIFICATION_CHANNELS = ['WEBHOOK', 'EMAIL', 'SMS', 'SLACK', 'PAGERDUTY'] as const;
export type NotificationChannel = (typeof NOTIFICATION_CHANNELS)[number];

/** The client's defaults under each request's own `policy`. */
export interface ClientPolicy {
  preset?: 'standard' | 'fast' | 'patient';
  /** 1–8. */
  attemptsMax?: number;
  firstCharge?: 'auto' | 'now' | 'scheduled';
  /** Rows of the merchant's own in place of the preset's. */
  schedule?: OwnSchedule;
  /** Local hours in which no scheduled charge is made. */
  blackoutHours?: BlackoutHours[];
  /** 15–20 re-attempts in 30 days. */
  visaReattemptsMax?: number;
}

/**
 * The time it is for a client. While its clock is walked it stands still; a walker that died is outlived, so that no
 * client's time stands for ever. The same rule as the SQL function `client_time`.
 */
export function clientNow(
  settings: Pick<ClientSettings, 'clockOffsetMs' | 'clockFrozenAt' | 'clockFrozenUntil'>,
  realNow: Date,
): Date {
  const { clockFrozenAt, clockFrozenUntil, clockOffsetMs } = settings;
  if (clockFrozenAt && clockFrozenUntil && clockFrozenUntil > realNow) return clockFrozenAt;
  return new Date(realNow.getTime() + clockOffsetMs);
}
