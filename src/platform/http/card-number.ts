/**
 * Finds card numbers in text. A bare Luhn check would refuse one order number in ten, so a number counts only with a
 * card network's prefix and that prefix's own length (docs/behaviour.md 1).
 */
interface CardRange {
  /** First digits, from and to, of equal length. */
  from: number;
  to: number;
  lengths: readonly number[];
}

const CARD_RANGES: readonly CardRange[] = [
  { from: 4, to: 4, lengths: [13, 16, 19] }, // Visa
  { from: 51, to: 55, lengths: [16] }, // Mastercard
  { from: 2221, to: 2720, lengths: [16] }, // Mastercard's newer series
  { from: 34, to: 34, lengths: [15] }, // American Express
  { from: 37, to: 37, lengths: [15] },
  { from: 6011, to: 6011, lengths: [16] }, // Discover
  { from: 644, to: 649, lengths: [16] },
  { from: 65, to: 65, lengths: [16] },
  { from: 3528, to: 3589, lengths: [16] }, // JCB
  { from: 36, to: 36, lengths: [14] }, // Diners Club
  { from: 38, to: 38, lengths: [14] },
  { from: 300, to: 305, lengths: [14] },
];
const LENGTH_MIN = 13;
const LENGTH_MAX = 19;

// Ids of gateways and shops, and UUIDs, hold digit runs of their own.
const FOREIGN_ID =
  /(?<![\p{L}\p{N}])(?:(?:in_|pi_|ch_|cus_|pm_|gid:\/\/)[^\s,;"']*|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?![\p{L}\p{N}]))/giu;
// What one does not see (zero-width spaces, soft hyphens) comes along when a number is copied from a page.
const ENOUGH_DIGITS = /\d(?:[\s\p{Pd}\p{Cf}]*\d){12}/u;
const WORD = /[\p{L}\p{N}_]+/gu;
const ALL_DIGITS = /^\d+$/;
const SEPARATORS_ONLY = /^[\s\p{Pd}\p{Cf}]*$/u;

/**
 * True when the text holds a card number, alone or among other words. Spaces, dashes and invisible characters between its digits are ignored;
 * a run of digits inside a longer word of letters, and the ids of gateways, are none.
 */
export function holdsCardNumber(text: string): boolean {
  if (text.length < LENGTH_MIN) return false;
  const plain = text.normalize('NFKC'); // Full-width digits are digits.
  if (!ENOUGH_DIGITS.test(plain)) return false;

  const searched = plain.replace(FOREIGN_ID, ' | ');
  let groups: string[] = [];
  let endOfLast = 0;
  for (const match of searched.matchAll(WORD)) {
    const [word] = match;
    const isDigits = ALL_DIGITS.test(word);
    if (!isDigits || !SEPARATORS_ONLY.test(searched.slice(endOfLast, match.index))) groups = [];
    endOfLast = match.index + word.length;
    if (!isDigits) continue;
    groups.push(word);
    if (lastGroupsAreCard(groups)) return true;
  }
  return false;
}

// A date before the number must not hide it, so every run of whole groups that ends here is looked at.
function lastGroupsAreCard(groups: readonly string[]): boolean {
  let digits = '';
  for (let index = groups.length - 1; index >= 0 && digits.length < LENGTH_MAX; index -= 1) {
    digits = (groups[index] ?? '') + digits;
    if (digits.length >= LENGTH_MIN && isCardNumber(digits)) return true;
  }
  return false;
}

/** True for digits with a card prefix, that prefix's own length, and a right check digit. */
export function isCardNumber(digits: string): boolean {
  // Most digits begin like no card; asked by the first one, since a long text asks a million times.
  const ranges = RANGES_BY_FIRST_DIGIT[digits.charCodeAt(0) - ZERO] ?? [];
  return ranges.some((range) => range.lengths.includes(digits.length) && startsIn(digits, range)) && passesLuhn(digits);
}

const ZERO = 0x30;
const RANGES_BY_FIRST_DIGIT = Array.from({ length: 10 }, (_, first) =>
  CARD_RANGES.filter(({ from, to }) => first >= Number(String(from)[0]) && first <= Number(String(to)[0])),
);

function startsIn(digits: string, { from, to }: CardRange): boolean {
  const start = Number(digits.slice(0, String(from).length));
  return start >= from && start <= to;
}

/** @see https://www.iso.org/standard/70484.html (ISO/IEC 7812-1, annex B) */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
