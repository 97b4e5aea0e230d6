import { type BlackoutHours, CLOSED_HOURS_MAX, longestClosed, type Weekday, WEEKDAYS } from './blackout.js';
import type { ScheduleGroup, ScheduleRow } from './facts.js';
import { GROUPS, jitterOf } from './tables.js';

/** One row of a merchant's own schedule, as JSON: the same columns as schedules.csv. */
export interface OwnScheduleRow {
  /** 1 to 8 rising whole hours from the failed charge. */
  slotsHours: readonly number[];
  gapHours: number;
  localHour: number | null;
  paydayShift: boolean;
  /** `45m`: up to so many minutes; `20%`: up to that share of the way from the last attempt. */
  jitter: string;
}

/** A merchant's own schedule; the groups it leaves out run as in the preset. */
export type OwnSchedule = Partial<Record<ScheduleGroup, OwnScheduleRow>>;

/** A value that a policy can not take: which field, what is wrong, and what is accepted. */
export interface PolicyProblem {
  field: string;
  code: 'invalid_field';
  message: string;
  accepted: string;
}

const SLOTS_MAX = 8;
/** A round is open for 90 days at most. */
const SLOT_HOURS_MAX = 90 * 24;
const GAP_HOURS_MAX = 720;

// Banks return a debit days later, and schemes allow two re-presentments: a card's delays would hit one still on its way.
const DEBIT_SLOTS_MAX = 2;
const DEBIT_HOURS_MIN = 48;

const BLACKOUTS_MAX = 14;

/** What a policy's two tables are, in words. */
export const OWN_SCHEDULE = `an object of rows by group: ${GROUPS.join(' ')}`;
export const OWN_BLACKOUTS = `up to ${BLACKOUTS_MAX} of {from, to, days}, local hours`;

const ROW_FIELDS = ['slotsHours', 'gapHours', 'localHour', 'paydayShift', 'jitter'];
const BLACKOUT_FIELDS = ['from', 'to', 'days'];

export function policyProblem(field: string, message: string, accepted: string): PolicyProblem[] {
  return [{ field, code: 'invalid_field', message, accepted }];
}

/**
 * Checks a merchant's own schedule, whatever its JSON turned out to be; an empty list means that all is well.
 * @param field names it in the problems, such as `policy.schedule`.
 */
export function scheduleProblems(schedule: unknown, field = 'policy.schedule'): PolicyProblem[] {
  if (!isRecord(schedule)) return policyProblem(field, 'is not an object', `one row per group: ${GROUPS.join(' ')}`);
  const groups = Object.entries(schedule);
  if (groups.length === 0) return policyProblem(field, 'is empty', `one row or more, of ${GROUPS.join(' ')}`);
  return groups.flatMap(([group, row]) => {
    const name = `${field}.${group}`;
    if (!(GROUPS as readonly string[]).includes(group)) {
      return policyProblem(name, 'is not a group of codes', GROUPS.join(' '));
    }
    return isRecord(row)
      ? rowProblems(row, name, group)
      : policyProblem(name, 'is not an object', ROW_FIELDS.join(' '));
  });
}

function rowProblems(row: Record<string, unknown>, field: string, group: string): PolicyProblem[] {
  const { slotsHours, gapHours, localHour, paydayShift, jitter } = row;
  const debit = group === 'debit';
  return [
    ...unknownFields(row, ROW_FIELDS, field),
    ...slotsProblem(slotsHours, `${field}.slotsHours`, debit),
    ...gapProblem(gapHours, `${field}.gapHours`, debit),
    ...(localHour === null || isWhole(localHour, 0, 23)
      ? []
      : policyProblem(`${field}.localHour`, 'is no local hour', 'a whole number from 0 to 23, or null')),
    ...paydayProblem(paydayShift, localHour, `${field}.paydayShift`),
    ...(typeof jitter === 'string' && jitterOf(jitter) !== null
      ? []
      : policyProblem(`${field}.jitter`, 'is no jitter', 'minutes such as 45m, or a share such as 20%')),
  ];
}

function slotsProblem(slots: unknown, field: string, debit: boolean): PolicyProblem[] {
  const min = debit ? DEBIT_HOURS_MIN : 1;
  const count = debit ? DEBIT_SLOTS_MAX : SLOTS_MAX;
  const accepted = `1 to ${count} rising whole hours from ${min} to ${SLOT_HOURS_MAX}`;
  if (!Array.isArray(slots) || slots.length === 0 || slots.length > count) {
    const why = debit
      ? 'has no slot, or more than the two re-presentments that schemes allow'
      : 'has no slot, or too many';
    return policyProblem(field, why, accepted);
  }
  const hours: unknown[] = slots;
  const rising = hours.every((one, index) => isWhole(one, min, SLOT_HOURS_MAX) && isMore(one, hours[index - 1]));
  return rising ? [] : policyProblem(field, 'must rise, in whole hours', accepted);
}

function isMore(hours: number, before: unknown): boolean {
  return typeof before !== 'number' || hours > before;
}

function gapProblem(gap: unknown, field: string, debit: boolean): PolicyProblem[] {
  const min = debit ? DEBIT_HOURS_MIN : 1;
  if (isWhole(gap, min, GAP_HOURS_MAX)) return [];
  return policyProblem(field, 'is out of range', `a whole number of hours from ${min} to ${GAP_HOURS_MAX}`);
}

/** Without a local hour a later decline could take an earlier time of the same payday. */
function paydayProblem(shift: unknown, localHour: unknown, field: string): PolicyProblem[] {
  if (typeof shift !== 'boolean') return policyProblem(field, 'is neither true nor false', 'true or false');
  if (!shift || localHour !== null) return [];
  return policyProblem(
    field,
    'needs a localHour: a payday is a day, and the charge must know its hour',
    'false, or a localHour',
  );
}

/** Checks a merchant's blackout hours, whatever their JSON turned out to be; an empty list means that all is well. */
export function blackoutProblems(blackout: unknown, field = 'policy.blackoutHours'): PolicyProblem[] {
  if (!Array.isArray(blackout) || blackout.length > BLACKOUTS_MAX) {
    return policyProblem(field, 'is not a list, or too long', `up to ${BLACKOUTS_MAX} of {from, to, days}`);
  }
  const entries: unknown[] = blackout;
  const problems = entries.flatMap((entry, index) => entryProblems(entry, `${field}[${index}]`));
  if (problems.length > 0) return problems;
  const closed = longestClosed(blackout as BlackoutHours[]);
  if (closed <= CLOSED_HOURS_MAX) return [];
  return policyProblem(field, `closes ${closed} hours in a row`, `at most ${CLOSED_HOURS_MAX} hours in a row`);
}

function entryProblems(entry: unknown, field: string): PolicyProblem[] {
  if (!isRecord(entry)) return policyProblem(field, 'is not an object', BLACKOUT_FIELDS.join(' '));
  const { from, to, days } = entry;
  const ends = isWhole(from, 0, 23) && isWhole(to, 0, 24);
  return [
    ...unknownFields(entry, BLACKOUT_FIELDS, field),
    ...(ends ? [] : policyProblem(field, 'has no local hours', 'from 0 to 23 and to 0 to 24, whole hours')),
    ...(ends && from === to ? policyProblem(field, 'closes no hour or the whole day', 'to other than from') : []),
    ...(days === undefined || areDays(days)
      ? []
      : policyProblem(`${field}.days`, 'is no list of days', WEEKDAYS.join(' '))),
  ];
}

function areDays(days: unknown): days is Weekday[] {
  if (!Array.isArray(days) || days.length === 0 || new Set(days).size < days.length) return false;
  return days.every((day) => (WEEKDAYS as readonly unknown[]).includes(day));
}

function unknownFields(row: Record<string, unknown>, known: string[], field: string): PolicyProblem[] {
  const unknown = Object.keys(row).filter((name) => !known.includes(name));
  return unknown.flatMap((name) => policyProblem(`${field}.${name}`, 'is not a field of it', known.join(' ')));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

/** The preset's rows with the merchant's own in their place. @throws {Error} for a schedule that was not checked. */
export function withOwnRows(
  preset: Readonly<Record<ScheduleGroup, ScheduleRow>>,
  own: OwnSchedule | null,
): Readonly<Record<ScheduleGroup, ScheduleRow>> {
  if (own === null) return preset;
  const rows = Object.entries(own).map(([group, row]) => [group, scheduleRowOf(row)] as const);
  return { ...preset, ...Object.fromEntries(rows) };
}

function scheduleRowOf({ jitter, ...row }: OwnScheduleRow): ScheduleRow {
  const read = jitterOf(jitter);
  if (read === null) throw new Error(`An own schedule was stored with the jitter "${jitter}".`);
  return { ...row, jitter: read };
}
