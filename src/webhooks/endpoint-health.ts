const SECOND = 1_000;
const MINUTE = 60 * SECOND;

export const DAY_MS = 24 * 60 * MINUTE;

/** One that has failed at every try for so long is disabled (docs/webhooks.md). */
export const DISABLED_AFTER_MS = 5 * DAY_MS;
/** Days of nothing but failures after which the operator is told; the last word comes with the disabling. */
export const TOLD_AFTER_DAYS = [1, 3] as const;

// The breaker: of at least ten tries within a minute, seven in ten failed. A single event never opens it: no minute of the
// retry schedule holds ten tries. It opens for two seconds first, so that a receiver that restarts loses no time, and
// for a minute at most, so that one that is back is found soon.
export const BREAKER_WINDOW_MS = MINUTE;
export const BREAKER_TRIES_MIN = 10;
export const BREAKER_FAILURE_SHARE = 0.7;
export const BREAKER_OPEN_MS = 2 * SECOND;
export const BREAKER_OPEN_MAX_MS = MINUTE;

// An answer that asks for patience without saying how long: below the schedule's own first pause, then doubling.
export const THROTTLE_MS = 1 * SECOND;
export const THROTTLE_MAX_MS = MINUTE;
