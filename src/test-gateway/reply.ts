import type { Fault } from './card-script.js';
import { envelope, type ErrorFields } from './stripe-refusal.js';

/** How the bytes get back to the caller. */
export type Wire = 'whole' | 'held' | 'reset' | 'truncated';

/** An answer to a request that was carried out. */
export interface Reply {
  status: number;
  body: object;
  wire: Wire;
  /** Kept under the idempotency key, to be given again. */
  remembered: boolean;
}

/** 200 with an object. */
export function ok(body: object): Reply {
  return { status: 200, body, wire: 'whole', remembered: true };
}

/** An error that ends a request which did change something, such as a decline. */
export function failed(status: number, fields: ErrorFields): Reply {
  return { status, body: envelope(fields), wire: 'whole', remembered: true };
}

const SERVER_ERROR = failed(500, {
  type: 'api_error',
  message: 'An unknown error occurred.',
});

const KEY_REFUSED: Reply = {
  ...failed(401, { type: 'invalid_request_error', message: 'Invalid API Key provided.' }),
  remembered: false,
};

/** What becomes of the answer to a charge that was made. Only a 500 also spoils what is kept under the key. */
export function spoiltAfter(reply: Reply, fault: Fault): Reply {
  switch (fault) {
    case 'timeout_after_charge':
      return { ...reply, wire: 'held' };
    case 'reset_after_charge':
      return { ...reply, wire: 'reset' };
    case 'truncated_after_charge':
      return { ...reply, wire: 'truncated' };
    case '500_after_charge':
      return SERVER_ERROR;
    default:
      return reply;
  }
}

/** The answer instead of a charge, or null when this fault strikes after the charge. */
export function spoiltBefore(fault: Fault): Reply | null {
  switch (fault) {
    case 'timeout_before_charge':
      return { ...SERVER_ERROR, wire: 'held', remembered: false };
    case 'reset_before_charge':
      return { ...SERVER_ERROR, wire: 'reset', remembered: false };
    case '500_before_charge':
      return SERVER_ERROR;
    case '401_before_charge':
      return KEY_REFUSED;
    default:
      return null;
  }
}
