import { type Channel, graver, type Lifecycle, type Severity } from './alert.js';
import { afterQuietHours, digestAt, type QuietHours } from './local-hours.js';

/** The words and the defaults of Alertmanager. @see https://prometheus.io/docs/alerting/latest/configuration/#route */
export const GROUP_WAIT_MS = 30_000;
export const GROUP_INTERVAL_MS = 5 * 60_000;
export const REPEAT_INTERVAL_MS = 4 * 3_600_000;
const HOUR_MS = 3_600_000;
/** What comes after so long a silence is another story, and begins a thread of its own. */
const SAME_THREAD_MS = 24 * HOUR_MS;

/** The group that all alerts of a daily digest are in. */
export const DIGEST_KEY = 'digest';

/** What one channel knows of one group. A client's alerts are numbered; the numbers say what was told and what was not. */
export interface GroupState {
  channel: Channel;
  /** Kind and subject, or DIGEST_KEY. */
  key: string;
  kind: string;
  /** The endpoint or account it is about; null for the whole client. */
  subject: string | null;
  /** The gravest of what is told next. */
  severity: Severity;
  /** Alerts of the group up to this number were told here. */
  toldUpTo: number;
  /** The newest alert of the group. */
  newest: number;
  /** How many wait to be told, and since when. */
  untold: number;
  untoldSince: Date | null;
  /** Lasting alerts that are not resolved, told or not. */
  open: number;
  toldAt: Date | null;
  /** What was told last still goes on, so that its end is owed. */
  toldOpen: boolean;
  /** Since when nothing is open any more. */
  overSince: Date | null;
  /** The first message of the story: later ones refer to it. */
  threadId: string | null;
  /** Why other channels could not deliver what waits here, such as `EMAIL: SMTP 550`. */
  tookOver: string[];
}

/** An alert as a group sees it. */
export interface GroupedAlert {
  number: number;
  severity: Severity;
  lifecycle: Lifecycle;
}

export type Purpose = 'firing' | 'repeat' | 'resolved' | 'digest';

/** A part of a message: the alerts of one group from the one number, left out, to the other. */
export interface NotificationPart {
  key: string;
  kind: string;
  subject: string | null;
  severity: Severity;
  purpose: Purpose;
  afterNumber: number;
  upToNumber: number;
  tookOver: string[];
}

export interface Notification {
  id: string;
  channel: Channel;
  severity: Severity;
  threadId: string;
  /** The first is what the message is about; more of them ride along because the hourly limit is reached. */
  parts: NotificationPart[];
}

/** What one channel of a client may do. */
export interface ChannelRules {
  zone: string;
  quiet: QuietHours | null;
  digestHour: number;
  /** Messages in any hour, at most. */
  hourlyCap: number;
  /** How many of them are kept for what is critical. */
  keptForCritical: number;
  /** Whether several groups can share a message. */
  merges: boolean;
}

export interface Flush {
  notifications: Notification[];
  groups: GroupState[];
  /** When to look again; null when nothing waits. */
  dueAt: Date | null;
}

export function newGroup(
  place: Pick<GroupState, 'channel' | 'key' | 'kind' | 'subject'>,
  afterNumber: number,
): GroupState {
  return {
    ...place,
    severity: 'info',
    toldUpTo: afterNumber,
    newest: afterNumber,
    untold: 0,
    untoldSince: null,
    open: 0,
    toldAt: null,
    toldOpen: false,
    overSince: null,
    threadId: null,
    tookOver: [],
  };
}

/** Takes an alert into its group. */
export function raise(group: GroupState, alert: GroupedAlert, now: Date): GroupState {
  const idle = group.untold === 0 && group.open === 0 && !group.toldOpen;
  return {
    ...group,
    severity: idle ? alert.severity : graver(group.severity, alert.severity),
    newest: Math.max(group.newest, alert.number),
    untold: group.untold + 1,
    untoldSince: group.untoldSince ?? now,
    open: group.open + (alert.lifecycle === 'lasting' ? 1 : 0),
    overSince: alert.lifecycle === 'lasting' ? null : group.overSince,
  };
}

/** Takes note that a lasting alert of the group is over. One that nobody was told of needs no telling any more. */
export function resolve(group: GroupState, alertNumber: number, now: Date): GroupState {
  const open = Math.max(0, group.open - 1);
  const wasTold = alertNumber <= group.toldUpTo;
  const untold = wasTold ? group.untold : Math.max(0, group.untold - 1);
  return {
    ...group,
    open,
    untold,
    untoldSince: untold === 0 ? null : group.untoldSince,
    overSince: open === 0 ? (group.overSince ?? now) : null,
  };
}

/** Forgets what a group had to tell: nobody wants to hear of its kind any more, neither that it goes on nor its end. */
export function hush(group: GroupState): GroupState {
  return { ...group, toldUpTo: group.newest, untold: 0, untoldSince: null, toldOpen: false, overSince: null };
}

/** When the group is told next; null when it has nothing to tell. Never within its interval since the last time. */
export function dueAt(group: GroupState, rules: ChannelRules): Date | null {
  const due = dueWhenever(group, rules);
  if (due === null || group.severity === 'critical' || group.key === DIGEST_KEY) return due;
  return afterQuietHours(due, rules.quiet, rules.zone);
}

function dueWhenever(group: GroupState, rules: ChannelRules): Date | null {
  const { untoldSince, toldAt, toldOpen, open, overSince } = group;
  if (untoldSince !== null) {
    if (group.key === DIGEST_KEY) return digestAt(untoldSince, toldAt, rules.digestHour, rules.zone);
    return later(after(untoldSince, GROUP_WAIT_MS), toldAt && after(toldAt, GROUP_INTERVAL_MS));
  }
  if (!toldOpen || toldAt === null) return toldOpen ? overSince : null;
  if (open === 0) return later(overSince ?? toldAt, after(toldAt, GROUP_INTERVAL_MS));
  return after(toldAt, REPEAT_INTERVAL_MS);
}

/**
 * Tells on one channel what is due, within its hourly cap. Nothing is dropped: what finds no room rides along with the
 * last message that does, or waits for the hour to pass.
 *
 * @param sentAt when messages of this channel were made in the last hour or longer
 * @param newId gives the id of each message
 */
export function flush(
  groups: readonly GroupState[],
  sentAt: readonly Date[],
  rules: ChannelRules,
  now: Date,
  newId: () => string,
): Flush {
  const recent = sentAt.map((at) => at.getTime()).filter((at) => at > now.getTime() - HOUR_MS);
  const told = new Map<string, GroupState>();
  const notifications: Notification[] = [];
  let waiting = dueGroups(groups, rules, now);
  while (waiting[0] && roomFor(waiting[0], recent.length, rules) > 0) {
    const [first, ...rest] = waiting;
    recent.push(now.getTime());
    const homeless = rules.merges ? rest.filter((group) => roomFor(group, recent.length, rules) <= 0) : [];
    const together = [first, ...homeless];
    notifications.push(notificationOf(together, newId(), now));
    for (const group of together) told.set(group.key, afterTelling(group, notifications.at(-1)?.threadId ?? null, now));
    waiting = rest.filter((group) => !homeless.includes(group));
  }
  const left = groups.map((group) => told.get(group.key) ?? group);
  return { notifications, groups: left, dueAt: nextLook(left, recent, rules, now) };
}

function dueGroups(groups: readonly GroupState[], rules: ChannelRules, now: Date): GroupState[] {
  const due = groups.flatMap((group) => {
    const at = dueAt(group, rules);
    return at !== null && at <= now ? [{ group, at }] : [];
  });
  const weight = ({ severity }: GroupState) => (severity === 'critical' ? 0 : 1);
  due.sort((one, other) => weight(one.group) - weight(other.group) || one.at.getTime() - other.at.getTime());
  return due.map(({ group }) => group);
}

function roomFor({ severity }: GroupState, used: number, rules: ChannelRules): number {
  return rules.hourlyCap - (severity === 'critical' ? 0 : rules.keptForCritical) - used;
}

function notificationOf(groups: readonly GroupState[], id: string, now: Date): Notification {
  const [first] = groups;
  if (!first) throw new Error('a notification tells at least one group');
  const parts = groups.map((group) => ({
    key: group.key,
    kind: group.kind,
    subject: group.subject,
    severity: group.severity,
    purpose: purposeOf(group),
    afterNumber: group.toldUpTo,
    upToNumber: group.newest,
    tookOver: group.tookOver,
  }));
  const severity = groups.reduce<Severity>((gravest, group) => graver(gravest, group.severity), 'info');
  return { id, channel: first.channel, severity, threadId: threadOf(first, now) ?? id, parts };
}

function purposeOf(group: GroupState): Purpose {
  if (group.untold > 0) return group.key === DIGEST_KEY ? 'digest' : 'firing';
  return group.open === 0 ? 'resolved' : 'repeat';
}

function threadOf({ key, threadId, toldAt, toldOpen }: GroupState, now: Date): string | null {
  if (key === DIGEST_KEY || toldAt === null) return null;
  return toldOpen || now.getTime() - toldAt.getTime() < SAME_THREAD_MS ? threadId : null;
}

function afterTelling(group: GroupState, threadId: string | null, now: Date): GroupState {
  return {
    ...group,
    toldUpTo: group.newest,
    untold: 0,
    untoldSince: null,
    toldAt: now,
    toldOpen: group.open > 0,
    overSince: null,
    threadId,
    tookOver: [],
  };
}

function nextLook(
  groups: readonly GroupState[],
  recent: readonly number[],
  rules: ChannelRules,
  now: Date,
): Date | null {
  const times = groups.flatMap((group) => {
    const due = dueAt(group, rules);
    if (due === null) return [];
    if (due > now) return [due.getTime()];
    // Due and not told: it waits until enough of the last hour's messages are an hour old.
    const leaving = recent.toSorted((one, other) => one - other)[-roomFor(group, recent.length, rules)];
    return [(leaving ?? now.getTime()) + HOUR_MS];
  });
  return times.length === 0 ? null : new Date(Math.min(...times));
}

function after(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}

function later(one: Date, other: Date | null): Date {
  return other !== null && other > one ? other : one;
}
