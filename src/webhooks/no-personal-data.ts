import { holdsCardNumber } from '../platform/http/card-number.js';

/** What stands where something forbidden was. */
export const REMOVED = '[removed]';

const SPEAKING_OF_CUSTOMERS = [
  /[^\s@]+@[^\s@]+/g, // An e-mail address, also one without a dot in its domain.
  /\+\d(?:[\d ().-]{6,18})\d/g, // A telephone number in international form.
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/\S+/gi, // A link of any scheme: it could be a card-update link.
  /\bwww\.\S+/gi,
  /\w*_secret(?:_\w+)?/g, // A gateway's client secret, such as pi_…_secret_….
  /[srp]k_(?:live|test)_\w+/g, // A gateway's API key.
  /whsec_\S+/g,
  /rev_(?:pk_|fx_)?[\w-]{20,}/g,
];

/** The text with e-mail addresses, telephone numbers, links and secrets replaced by `[removed]`; whole, if it holds a card number. */
export function withoutPersonalData(text: string): string {
  if (holdsCardNumber(text)) return REMOVED;
  return SPEAKING_OF_CUSTOMERS.reduce((rest, pattern) => rest.replace(pattern, REMOVED), text);
}

/** True when `withoutPersonalData` would change the text. */
export function hasPersonalData(text: string): boolean {
  return withoutPersonalData(text) !== text;
}
