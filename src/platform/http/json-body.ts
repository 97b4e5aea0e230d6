import { isUtf8 } from 'node:buffer';

import { holdsCardNumber } from './card-number.js';
import { badField, type DomainError } from './domain-error.js';
import { DEPTH_MAX, FORBIDDEN_KEYS, KEYS_MAX, scanJson, type JsonFlaw } from './json-scan.js';

/**
 * Parses a request body. Strict where JSON.parse is not: UTF-8 only, every key once, no key that reaches a prototype,
 * bounded depth and width, and no number that reads differently than it was written.
 * @throws {DomainError} 400 `invalid_json`, or `invalid_field` for such a number.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw invalidJson('body', 'is not UTF-8', 'JSON in UTF-8');
  const text = bytes.toString('utf8');
  const value = parse(text);
  const flaw = scanJson(text);
  if (flaw) throw refusalFor(flaw);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which could be a card number: it is left out, as cause too.
    throw invalidJson('body', 'is not valid JSON', 'one JSON document (RFC 8259)');
  }
}

function refusalFor({ kind, path }: JsonFlaw): DomainError {
  const field = shownPath(path);
  switch (kind) {
    case 'too_deep':
      return invalidJson(field, 'is nested too deeply', `at most ${DEPTH_MAX} levels`);
    case 'too_many_keys':
      return invalidJson(field, 'has too many fields', `at most ${KEYS_MAX} fields in one object`);
    case 'duplicate_key':
      return invalidJson(field, 'is given twice', 'each field once');
    case 'forbidden_key':
      return invalidJson(
        field,
        'has a field name that is not allowed',
        `names other than ${[...FORBIDDEN_KEYS].join(', ')}`,
      );
    case 'inexact_number':
      return badField(
        field,
        'invalid_field',
        'is a number in a form that loses precision',
        'plain digits, such as 2500',
      );
  }
}

// The path is made of the caller's own field names, which nothing has looked at yet.
function shownPath(path: string): string {
  return path === '' || path.length > 200 || holdsCardNumber(path) ? 'body' : path;
}

function invalidJson(field: string, message: string, accepted: string): DomainError {
  return badField(field, 'invalid_json', message, accepted);
}
