const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** When each try is made, counted from the first (openapi.yaml). */
export const TRY_OFFSETS_MS: readonly number[] = [
  0,
  2 * SECOND,
  8 * SECOND,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
];

/** A try that has not answered by then has failed. */
export const TRY_DEADLINE_MS = 10 * SECOND;

const JITTER = 0.1;
const RETRY_AFTER_MAX_MS = 24 * HOUR;
// A receiver that took its whole ten seconds is not called again in the same breath.
const PAUSE_MIN_MS = 1 * SECOND;

export interface TryFacts {
  /** Tries that have failed in this run before this one. */
  failedBefore: number;
  /** The answer's HTTP status; null when there was none. */
  status: number | null;
  /** The answer's `Retry-After`, as it came. */
  retryAfter: string | null;
  startedAt: Date;
  endedAt: Date;
  /** Gives a number in [0, 1); asked only where another try follows. */
  jitter: () => number;
}

export type Verdict =
  | { kind: 'delivered' }
  | { kind: 'retry'; nextTryAt: Date }
  | { kind: 'exhausted' }
  // 410: the endpoint wants nothing more.
  | { kind: 'gone' };

/** Decides what follows one try. Any 2xx is success; a redirect is a failure like every other status but 410. */
export function judgeTry(facts: TryFacts): Verdict {
  const { status, failedBefore } = facts;
  if (status !== null && status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone' };
  if (failedBefore + 1 >= TRY_OFFSETS_MS.length) return { kind: 'exhausted' };
  return { kind: 'retry', nextTryAt: nextTry(facts) };
}

// The pause between two tries is the distance of their offsets, each with its own jitter: so every try lies within the
// jitter of its offset, and one that came late pushes the later ones on instead of crowding them.
function nextTry({ failedBefore, startedAt, endedAt, retryAfter, ...facts }: TryFacts): Date {
  const jitter = facts.jitter();
  const pauseMs = offsetOf(failedBefore + 1) - offsetOf(failedBefore);
  const bySchedule = startedAt.getTime() + pauseMs * (1 - JITTER + 2 * JITTER * jitter);
  const askedMs = readRetryAfter(retryAfter, endedAt);
  // Jitter only adds to what the receiver asked for: "not before" is its word.
  const asAsked = askedMs === null ? 0 : endedAt.getTime() + askedMs * (1 + JITTER * jitter);
  return new Date(Math.ceil(Math.max(bySchedule, asAsked, endedAt.getTime() + PAUSE_MIN_MS)));
}

function offsetOf(step: number): number {
  const offset = TRY_OFFSETS_MS[step];
  if (offset === undefined) throw new Error(`the retry schedule has no step ${step}`);
  return offset;
}

/** Statuses by which a receiver speaks of itself and not of this event: the whole endpoint is given a pause. */
const THROTTLING = new Set([429, 502, 503, 504]);

/** What an answer asks for the endpoint as a whole. `until` is its own word; null leaves the length of the pause to us. */
export interface Throttle {
  until: Date | null;
}

/** The pause that an answer asks for; null when it asks for none. */
export function readThrottle(status: number | null, retryAfter: string | null, endedAt: Date): Throttle | null {
  if (status === null || !THROTTLING.has(status)) return null;
  const askedMs = readRetryAfter(retryAfter, endedAt);
  return { until: askedMs === null ? null : new Date(endedAt.getTime() + askedMs) };
}

/**
 * Milliseconds that a `Retry-After` asks to wait, at most 24 h; null when there is none or it can not be read. A date
 * has whole seconds, so that nothing is ever sent before it.
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after (seconds, or an HTTP date)
 */
export function readRetryAfter(header: string | null, now: Date): number | null {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text) * SECOND, RETRY_AFTER_MAX_MS);
  const at = readHttpDate(text, now);
  return at === null ? null : Math.min(Math.max(at - now.getTime(), 0), RETRY_AFTER_MAX_MS);
}

// The three forms that receivers of a date must understand; Date.parse alone would take far more than dates.
// https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/;

function readHttpDate(text: string, now: Date): number | null {
  if (HTTP_DATE.test(text)) return instantOf(text);
  const [, day = '', month = '', shortYear = '', time = ''] = RFC_850.exec(text) ?? [];
  if (day !== '') return instantOf(`${day} ${month} ${fullYear(Number(shortYear), now)} ${time} GMT`);
  const [, inMonth = '', dayOf = '', timeOf = '', year = ''] = ASCTIME.exec(text) ?? [];
  return year === '' ? null : instantOf(`${dayOf.trim()} ${inMonth} ${year} ${timeOf} GMT`);
}

// Two digits that would lie over 50 years ahead mean the century before.
function fullYear(short: number, now: Date): number {
  const year = now.getUTCFullYear();
  const guess = year - (year % 100) + short;
  return guess > year + 50 ? guess - 100 : guess;
}

function instantOf(text: string): number | null {
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
