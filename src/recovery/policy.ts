import type { BlackoutHours } from './blackout.js';
import type { Policy, Preset } from './facts.js';
import { DAY_MS, HOUR_MS, isTimeZone } from './local-time.js';
import { VISA_REATTEMPTS_MAX, VISA_REATTEMPTS_MIN } from './network-limits.js';
import {
  blackoutProblems,
  type OwnSchedule,
  type PolicyProblem,
  policyProblem,
  scheduleProblems,
  withOwnRows,
} from './own-policy.js';
import { defaultDeadline } from './schedule.js';
import { readTable } from './table-file.js';
import { TABLES } from './tables.js';

export type { PolicyProblem } from './own-policy.js';

export const ATTEMPTS_DEFAULT = 4;
/** More than eight tries of one charge look like fraud to issuers. @see https://docs.stripe.com/declines/card */
export const ATTEMPTS_MAX = 8;

const DEADLINE_DAYS_MAX = 90;
const FAILED_DAYS_MAX = 90;

/** What a request, or a client's own settings, say about the policy; what is left out is decided elsewhere. */
export interface PolicyRequest {
  preset?: Preset | null;
  attemptsMax?: number | null;
  deadlineAt?: Date | null;
  notBefore?: Date | null;
  timezone?: string | null;
  billingCycleDay?: number | null;
  firstCharge?: 'auto' | 'now' | 'scheduled' | null;
  /** A table of the merchant's own, in place of the preset's rows that it names. */
  schedule?: OwnSchedule | null;
  blackoutHours?: readonly BlackoutHours[] | null;
  /** Visa's cap of re-attempts in 30 days: 15 to 20. */
  visaReattemptsMax?: number | null;
}

type OwnTables = Pick<PolicyRequest, 'schedule' | 'blackoutHours' | 'visaReattemptsMax'>;

/** A merchant account's settings, as far as they shape a policy. */
export interface ClientPolicy {
  policy: PolicyRequest | null;
  timezone: string | null;
  billingCycleDay: number | null;
}

const MAIN_ZONES: ReadonlyMap<string, string> = new Map(
  readTable('country-zones.csv').map((row) => {
    const zone = row.required('zone');
    if (!isTimeZone(zone)) throw row.bad(`zone "${zone}" is not known to this runtime`);
    return [row.required('country'), zone];
  }),
);

/** The zone most people of a country live by; null for an unknown country. */
export function mainZoneOf(country: string | null): string | null {
  return country === null ? null : (MAIN_ZONES.get(country.toUpperCase()) ?? null);
}

const COUNTRIES_BY_ZONE: ReadonlyMap<string, string> = new Map(
  [...MAIN_ZONES].map(([country, zone]) => [zone, country]),
);

/** Whose bank holidays count: the card's country, else the one whose main zone this is; null when neither is known. */
export function bankCountryOf(cardCountry: string | null, zone: string): string | null {
  return cardCountry?.toUpperCase() ?? COUNTRIES_BY_ZONE.get(zone) ?? null;
}

/**
 * Fixes a recovery's rules when it is accepted: the request's word, else the client's, else the default. Later changes
 * of a preset or of the client's settings leave it as it is.
 */
export function snapshotPolicy(facts: {
  request: PolicyRequest | null;
  client: ClientPolicy;
  /** ISO 3166 alpha-2 of the card's issuer; null when not known. */
  cardCountry: string | null;
}): Policy {
  const { request, client, cardCountry } = facts;
  const preset = request?.preset ?? client.policy?.preset ?? 'standard';
  const timezone = request?.timezone ?? client.policy?.timezone ?? client.timezone ?? mainZoneOf(cardCountry) ?? 'UTC';
  const reattemptsMax = request?.visaReattemptsMax ?? client.policy?.visaReattemptsMax ?? null;
  return {
    preset,
    rows: withOwnRows(TABLES.schedules[preset], ownSchedule(request, client)),
    attemptsMax: request?.attemptsMax ?? client.policy?.attemptsMax ?? ATTEMPTS_DEFAULT,
    notBefore: request?.notBefore ?? null,
    timezone,
    billingCycleDay: request?.billingCycleDay ?? client.policy?.billingCycleDay ?? client.billingCycleDay,
    firstCharge: request?.firstCharge ?? client.policy?.firstCharge ?? 'auto',
    bankCountry: bankCountryOf(cardCountry, timezone),
    blackoutHours: request?.blackoutHours ?? client.policy?.blackoutHours ?? [],
    ...(reattemptsMax === null ? {} : { visaReattemptsMax: reattemptsMax }),
  };
}

/** A request that names a preset wants that preset, and not the client's own table. */
function ownSchedule(request: PolicyRequest | null, client: ClientPolicy): OwnSchedule | null {
  if (request?.schedule) return request.schedule;
  return request?.preset ? null : (client.policy?.schedule ?? null);
}

/** A policy as it is stored: instants as ISO strings. */
export type PolicyJson = Omit<Policy, 'notBefore'> & { notBefore: string | null };

export function policyToJson(policy: Policy): PolicyJson {
  return { ...policy, notBefore: policy.notBefore?.toISOString() ?? null };
}

/** @throws {Error} for a stored instant that is none. */
export function policyFromJson(json: PolicyJson): Policy {
  const notBefore = json.notBefore === null ? null : new Date(json.notBefore);
  if (notBefore && Number.isNaN(notBefore.getTime())) throw new Error('A stored policy has a bad notBefore.');
  return { ...json, notBefore };
}

/** Checks what a request asks for against the bounds; an empty list means that all is well. `now` is acceptance. */
export function validatePolicyRequest(
  request: PolicyRequest,
  originalFailedAt: Date | null,
  now: Date,
): PolicyProblem[] {
  return [
    ...attemptsProblem(request.attemptsMax ?? null),
    ...deadlineProblem(request.deadlineAt ?? null, now),
    ...notBeforeProblem(request, now),
    ...settingsProblems(request),
    ...ownTablesProblems(request),
    ...failedAtProblem(originalFailedAt, now),
  ];
}

function attemptsProblem(attemptsMax: number | null): PolicyProblem[] {
  if (attemptsMax === null || isWhole(attemptsMax, 1, ATTEMPTS_MAX)) return [];
  return policyProblem('policy.attemptsMax', 'is out of range', `a whole number from 1 to ${ATTEMPTS_MAX}`);
}

function deadlineProblem(deadlineAt: Date | null, now: Date): PolicyProblem[] {
  if (deadlineAt === null) return [];
  const aheadMs = deadlineAt.getTime() - now.getTime();
  if (aheadMs > 0 && aheadMs <= DEADLINE_DAYS_MAX * DAY_MS) return [];
  return policyProblem(
    'policy.deadlineAt',
    'is out of range',
    `an instant in the future, at most ${DEADLINE_DAYS_MAX} days away`,
  );
}

/** A start after the last hour before the deadline leaves no charge at all: said at once, not by an empty schedule. */
function notBeforeProblem({ notBefore, deadlineAt }: PolicyRequest, now: Date): PolicyProblem[] {
  const lastMs = (deadlineAt ?? defaultDeadline(now)).getTime() - HOUR_MS;
  if (!notBefore || notBefore.getTime() <= lastMs) return [];
  return policyProblem(
    'policy.notBefore',
    'leaves no time before the deadline',
    'an instant at least an hour before deadlineAt',
  );
}

/** The two settings that a client's own policy has as well. */
function settingsProblems({ timezone, billingCycleDay }: PolicyRequest): PolicyProblem[] {
  const zone = timezone == null || isTimeZone(timezone);
  const day = billingCycleDay == null || isWhole(billingCycleDay, 1, 31);
  return [
    ...(zone
      ? []
      : policyProblem('policy.timezone', 'is not a known time zone', 'an IANA name, such as Europe/Berlin')),
    ...(day ? [] : policyProblem('policy.billingCycleDay', 'is out of range', 'a day of the month from 1 to 31')),
  ];
}

/** Checks the tables of a merchant's own, in a request or in a client's settings. */
export function ownTablesProblems({ schedule, blackoutHours, visaReattemptsMax }: OwnTables): PolicyProblem[] {
  const cap = visaReattemptsMax ?? null;
  const inRange = cap === null || isWhole(cap, VISA_REATTEMPTS_MIN, VISA_REATTEMPTS_MAX);
  const accepted = `a whole number from ${VISA_REATTEMPTS_MIN} to ${VISA_REATTEMPTS_MAX}, the network's own cap`;
  return [
    ...(schedule == null ? [] : scheduleProblems(schedule)),
    ...(blackoutHours == null ? [] : blackoutProblems(blackoutHours)),
    ...(inRange ? [] : policyProblem('policy.visaReattemptsMax', 'is out of range', accepted)),
  ];
}

function failedAtProblem(failedAt: Date | null, now: Date): PolicyProblem[] {
  if (failedAt === null) return [];
  const ageMs = now.getTime() - failedAt.getTime();
  if (ageMs >= 0 && ageMs <= FAILED_DAYS_MAX * DAY_MS) return [];
  return policyProblem(
    'originalFailedAt',
    'is out of range',
    `an instant in the past, at most ${FAILED_DAYS_MAX} days ago`,
  );
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
