import type { AlertKindSettings, AlertSettings } from '../clients/alert-settings.js';
import { type Alert, type Channel, isAlertKind, subjectOf } from './alert.js';
import { type ChannelRules, DIGEST_KEY } from './grouping.js';
import { minuteOfDay } from './local-hours.js';

/** A channel that a client asked for, and what it still lacks; nothing, when it can be used. */
export interface ChannelStanding {
  channel: Channel;
  missing: readonly string[];
}

/** Where one alert is told. */
export interface Route {
  channel: Channel;
  /** Channels that can not be used, whose alerts come here in their place. */
  standsInFor: Channel[];
}

/** They wake people, so only what is critical goes there unless a kind's settings name them. */
const CRITICAL_ONLY: readonly Channel[] = ['SMS', 'PAGERDUTY'];

/** Messages an hour that are read and not switched off; machines read more of them. */
const HOURLY_CAPS: Readonly<Record<Channel, number>> = { EMAIL: 12, SMS: 2, WEBHOOK: 60, SLACK: 20, PAGERDUTY: 60 };
const DIGEST_HOUR = 8;

/** The channels that one alert goes to. A channel that can not be used is stood in for by the next one that can. */
export function routesOf(
  alert: Pick<Alert, 'kind' | 'severity' | 'facts'>,
  settings: AlertSettings,
  standing: readonly ChannelStanding[],
): Route[] {
  const { kind, severity } = alert;
  const own = settingsOfKind(kind, settings);
  if (isOff(kind, settings)) return [];
  // A channel is not the place to say that it fails.
  const failing = kind === 'alert_channel_failing' ? subjectOf(alert) : null;
  const channels = standing.filter(({ channel }) => channel !== failing);
  const named = own.channels && channels.filter(({ channel }) => own.channels?.includes(channel));
  const usual = channels.filter(({ channel }) => severity === 'critical' || !CRITICAL_ONLY.includes(channel));
  // Where every channel that was named has been taken off the client's own list, the others stand in.
  const wanted = named === undefined || (named.length === 0 && own.channels?.length !== 0) ? usual : named;
  const routes = new Map<Channel, Route>();
  for (const { channel } of wanted) {
    // Where none can be used, it waits for the settings of the one that was asked for.
    const usable = usableFrom(channel, channels) ?? channel;
    const route = routes.get(usable) ?? { channel: usable, standsInFor: [] };
    if (usable !== channel) route.standsInFor.push(channel);
    routes.set(usable, route);
  }
  return [...routes.values()];
}

/** The channel itself where it can be used, else the next one of the list, from the start again after its end. */
export function usableFrom(channel: Channel, channels: readonly ChannelStanding[], itself = true): Channel | null {
  const place = channels.findIndex((each) => each.channel === channel);
  const ordered = [...channels.slice(place + 1), ...channels.slice(0, Math.max(place, 0))];
  const candidates = itself && place >= 0 ? channels.slice(place, place + 1).concat(ordered) : ordered;
  return candidates.find(({ missing }) => missing.length === 0)?.channel ?? null;
}

/** What a channel lacks, in words, such as `EMAIL: SMTP_URL, ALERT_FROM are not set`. */
export function lackOf(channel: Channel, channels: readonly ChannelStanding[]): string {
  const missing = channels.find((each) => each.channel === channel)?.missing;
  if (missing === undefined) return `${channel} was taken off`;
  return `${channel}: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set`;
}

/** The group that an alert is told in: its kind and what it is about, or the daily digest. */
export function groupKeyOf(alert: Pick<Alert, 'kind' | 'severity' | 'facts'>, settings: AlertSettings): string {
  const isDigest = settingsOfKind(alert.kind, settings).mode === 'digest' && alert.severity !== 'critical';
  if (isDigest) return DIGEST_KEY;
  const subject = subjectOf(alert);
  return subject === null ? alert.kind : `${alert.kind}:${subject}`;
}

/** Whether nobody is to hear of a kind. */
export function isOff(kind: string, settings: AlertSettings): boolean {
  return settingsOfKind(kind, settings).mode === 'off';
}

/** What a channel of this client may do. */
export function rulesOf(channel: Channel, settings: AlertSettings, timezone: string | null): ChannelRules {
  const hourlyCap = settings.hourlyCaps?.[channel] ?? HOURLY_CAPS[channel];
  const { quietHours } = settings;
  return {
    zone: timezone ?? 'UTC',
    quiet: quietHours ? { fromMinute: minuteOfDay(quietHours.from), toMinute: minuteOfDay(quietHours.to) } : null,
    digestHour: settings.digestHour ?? DIGEST_HOUR,
    hourlyCap,
    // A flood of failures must not keep the one alert that matters from getting through.
    keptForCritical: hourlyCap === 1 ? 0 : Math.max(1, Math.floor(hourlyCap / 4)),
    // An incident of PagerDuty's is one group: its resolve event must find it.
    merges: channel !== 'PAGERDUTY',
  };
}

function settingsOfKind(kind: string, settings: AlertSettings): AlertKindSettings {
  return (isAlertKind(kind) ? settings.kinds?.[kind] : undefined) ?? {};
}
