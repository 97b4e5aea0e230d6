import { holdsCardNumber } from '../platform/http/card-number.js';

/** What stands where something forbidden was. */
export const REMOVED = '[removed]';

// Not within a longer number, a word or a date, nor behind the first groups of an amount.
const NOT_BEFORE = String.raw`(?<![\w.,:/+-]|\d )`;
const NOT_BEHIND = String.raw`(?![\w/-]|[.,]\d)`;

// Telephone numbers of one country, as people write them. A mere run of digits is never taken for one: that is what order
// numbers look like, and losing a merchant's own id would cost more than it saves.
const NATIONAL_NUMBERS = [
  // Nine digits and more behind an area code in brackets: (415) 555-2671, (0171) 1234567.
  String.raw`\((?=(?:[ )-]{0,2}\d){9})0?\d{2,5}\)[ -]?\d{2,}(?:[ -]\d{2,}){0,4}`,
  // A trunk zero, and a gap behind the area code: 0171 1234567, 020 7946 0958, 01 23 45 67 89, 0171/1234567.
  String.raw`0[1-9]\d{0,4} (?=(?:[ -]?\d){7})\d{2,}(?:[ -]\d{2,}){0,4}`,
  String.raw`0[1-9]\d{1,3}\/\d{6,8}`,
  // The trunk zeros of international calls: 0049 171 1234567.
  String.raw`00[1-9]\d{0,2} (?=(?:[ -]?\d){7})\d{2,}(?:[ -]\d{2,}){0,4}`,
].map((form) => new RegExp(NOT_BEFORE + form + NOT_BEHIND, 'g'));

/** North America's form without brackets, 415-555-2671: in an id it could as well be the merchant's own numbering. */
const NORTH_AMERICAN = new RegExp(
  `${NOT_BEFORE}${String.raw`(?:1[ .-])?[2-9]\d{2}([ .-])[2-9]\d{2}\1\d{4}`}${NOT_BEHIND}`,
  'g',
);

const SPEAKING_OF_CUSTOMERS = [
  /[^\s@]+(?:@|%40)[^\s@]+/gi, // An e-mail address, also one without a dot in its domain, or as a part of a URL.
  /\+\d(?:[\d ().-]{6,18})\d/g, // A telephone number in international form.
  ...NATIONAL_NUMBERS,
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/\S+/gi, // A link of any scheme: it could be a card-update link.
  /\bwww\.\S+/gi,
  /\b(?:[a-z\d-]{1,63}\.){0,4}stripe\.com\/\S+/gi, // A page of Stripe's own: a Checkout, a payment link, an invoice.
  /\w*_secret(?:_\w+)?/g, // A gateway's client secret, such as pi_…_secret_….
  /[srp]k_(?:live|test)_\w+/g, // A gateway's API key.
  /whsec_\S+/g,
  /rev_(?:pk_|fx_)?[\w-]{20,}/g,
];

/** The text with e-mail addresses, telephone numbers, links and secrets replaced by `[removed]`; whole, if it holds a card number. */
export function withoutPersonalData(text: string): string {
  return without([...SPEAKING_OF_CUSTOMERS, NORTH_AMERICAN], text);
}

/** True of an id that holds such a thing, and not merely digits that could be its own. */
export function isPersonalData(id: string): boolean {
  return without(SPEAKING_OF_CUSTOMERS, id) !== id;
}

function without(patterns: readonly RegExp[], text: string): string {
  if (holdsCardNumber(text)) return REMOVED;
  // Full-width digits, signs and letters are read as what they look like; a text that holds nothing stays as it is written.
  const plain = text.normalize('NFKC');
  const rest = patterns.reduce((left, pattern) => left.replace(pattern, REMOVED), plain);
  return rest === plain ? text : rest;
}
