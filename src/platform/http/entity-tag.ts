import { createHash } from 'node:crypto';

/** A strong tag of a body that is the same bytes until a release changes it. @see RFC 9110, section 8.8.3 */
export function entityTag(body: object): string {
  return `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 27)}"`;
}

/** True when the caller's `If-None-Match` has this tag: it is answered 304, without a body (RFC 9110, section 13.1.2). */
export function isUnmodified(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  // Compared weakly: a proxy that compressed the body marks its tag so.
  return ifNoneMatch.split(',').some((one) => ['*', tag].includes(one.trim().replace(/^W\//, '')));
}
