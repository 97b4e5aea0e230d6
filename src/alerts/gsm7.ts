// GSM 03.38's basic alphabet, one septet each, without the escape itself.
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
// Reached by an escape, so that each takes two.
const EXTENDED = '^{}\\[~]|€';

const SEPTETS: ReadonlyMap<string, number> = new Map([
  ...[...BASIC].map((character): [string, number] => [character, 1]),
  ...[...EXTENDED].map((character): [string, number] => [character, 2]),
]);

const REPLACED: Readonly<Record<string, string>> = {
  '\u00a0': ' ',
  '\u202f': ' ',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '–': '-',
  '—': '-',
  '…': '...',
  '·': '-',
};

/** One message, not several that are paid and delivered one by one. */
export const SEPTETS_MAX = 160;

/** Septets that a text takes; null when it holds a character outside the alphabet. */
export function septetsOf(text: string): number | null {
  let sum = 0;
  for (const character of text) {
    const septets = SEPTETS.get(character);
    if (septets === undefined) return null;
    sum += septets;
  }
  return sum;
}

/** The text in the GSM alphabet: an accent it lacks is dropped, anything else it lacks becomes a question mark. */
export function toGsm7(text: string): string {
  return [...text].map(characterInGsm7).join('');
}

/** Cuts a text of the GSM alphabet to so many septets. */
export function cutSeptets(text: string, septetsMax: number): string {
  let sum = 0;
  let kept = '';
  for (const character of text) {
    sum += SEPTETS.get(character) ?? Infinity;
    if (sum > septetsMax) return kept;
    kept += character;
  }
  return kept;
}

function characterInGsm7(character: string): string {
  if (SEPTETS.has(character)) return character;
  const replaced = REPLACED[character];
  if (replaced !== undefined) return replaced;
  const bare = [...character.normalize('NFKD')].filter((part) => SEPTETS.has(part)).join('');
  return bare === '' ? '?' : bare;
}
