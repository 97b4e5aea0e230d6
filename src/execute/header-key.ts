import { badField } from '../platform/http/domain-error.js';

const KEY_MAX = 255;

/**
 * The `Idempotency-Key` header's value. The IETF draft makes it a quoted string, most callers send it bare: both are read.
 * @throws {DomainError} 400 for an empty or overlong key.
 */
export function headerKeyOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(header.trim());
  const key = quoted ? (quoted[1] ?? '').replace(/\\(.)/g, '$1') : header.trim();
  if (key.length >= 1 && key.length <= KEY_MAX) return key;
  throw badField('Idempotency-Key', 'invalid_field', 'is empty or too long', `1 to ${KEY_MAX} characters`);
}
