import { badField, type DomainError } from './domain-error.js';
import { holdsCardNumber } from './card-number.js';
import { FORBIDDEN_KEYS } from './json-scan.js';

/** Names of fields are echoed, so no longer than this. */
const NAME_SHOWN_MAX = 64;

/**
 * Refuses card numbers, NUL and half characters in every string of a value, keys and numbers included. It runs before
 * anything is checked, stored or logged, and its refusal names the field and never repeats what was in it.
 *
 * @param path where the value stands, such as `Idempotency-Key`; empty for a body or a query.
 * @throws {DomainError} 400 `card_number_refused` or `invalid_field`.
 */
export function guardText(value: unknown, path = ''): void {
  if (typeof value === 'string') {
    const refusal = refusalOf(value, path === '' ? 'body' : path);
    if (refusal) throw refusal;
  } else if (typeof value === 'number') {
    if (holdsCardNumber(String(value))) throw cardNumberRefused(path === '' ? 'body' : path);
  } else if (Array.isArray(value)) {
    value.forEach((each, index) => guardText(each, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      guardKey(key, path);
      guardText(each, fieldPath(path, key));
    }
  }
}

/** The path of a field below another, cut where the caller's own name for it is long. */
export function fieldPath(path: string, key: string): string {
  const shown = key.length > NAME_SHOWN_MAX ? `${key.slice(0, NAME_SHOWN_MAX)}…` : key;
  return path === '' ? shown : `${path}.${shown}`;
}

// A key that is itself a card number is not named: the name of its parent is.
function guardKey(key: string, path: string): void {
  const parent = path === '' ? 'a field name' : `${path} (a field name)`;
  const refusal = refusalOf(key, parent);
  if (refusal) throw refusal;
  if (FORBIDDEN_KEYS.has(key)) throw badField(parent, 'invalid_field', 'is a name that is not allowed', 'another name');
}

function refusalOf(text: string, field: string): DomainError | null {
  if (text.includes('\0')) return badField(field, 'invalid_field', 'holds a NUL character', 'text without NUL');
  if (/\p{Surrogate}/u.test(text)) {
    return badField(field, 'invalid_field', 'holds half a character', 'well-formed Unicode text');
  }
  return holdsCardNumber(text) ? cardNumberRefused(field) : null;
}

function cardNumberRefused(field: string): DomainError {
  return badField(
    field,
    'card_number_refused',
    'holds a card number, which must never be sent here',
    "the gateway's own token, or text without a card number",
  );
}
