/** What an account may ask of its gateway, all processes together. */
export interface CallLimits {
  /** All calls. */
  perSecond: number;
  /** Calls of one endpoint: a method and a path. */
  endpointPerSecond: number;
}

/** The account's owner calls the gateway too, with the same allowance. */
const OUR_PART = 0.8;

/**
 * What Stripe publishes: 100 calls a second with a live key and 25 with a test key, and 25 to one endpoint. Its limits per
 * object need nothing of ours: a lease lets one worker at a time touch a payment, and a recovery makes at most eight charges.
 * @see https://docs.stripe.com/rate-limits
 */
export function stripeLimits(secretKey: string): CallLimits {
  const isLive = /^(?:sk|rk)_live_/.test(secretKey);
  return { perSecond: (isLive ? 100 : 25) * OUR_PART, endpointPerSecond: 25 * OUR_PART };
}
