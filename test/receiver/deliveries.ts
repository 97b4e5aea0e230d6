import { randomBytes } from 'node:crypto';

import { signedHeaders } from '../../packages/receiver/src/sign.js';

export const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

/** A delivery as Revtain sends it, signed now. */
export interface Delivery {
  body: string;
  headers: Record<string, string>;
}

export function deliveryOf(fields: Record<string, unknown> = {}, secret = SECRET): Delivery {
  // Two blanks and a text that is written in two ways: parsed and written again, these bytes are gone.
  const event = { event: 'recovery.failed', id: `evt_${randomBytes(8).toString('hex')}`, ...fields };
  const body = JSON.stringify({ recommendedAction: 'request_card_update', ...event }).replace(
    '{',
    '{  "naïve":"\\u00e9",',
  );
  return { body, headers: signedHeaders(body, secret, { id: event.id }) };
}
