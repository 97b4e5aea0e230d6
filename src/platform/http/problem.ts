import { CommitOutcomeUnknown, isConnectionError } from '../db/database.js';
import { DomainError, type DomainErrorInit } from './domain-error.js';

/** What one refusal looks like on the wire. */
export interface ProblemAnswer {
  status: number;
  headers: Record<string, string>;
  body: object;
}

/** Renders a refusal as RFC 9457 problem+json, with the contract's further members. @see https://www.rfc-editor.org/rfc/rfc9457 */
export function problemAnswer(refusal: DomainError, requestId: string): ProblemAnswer {
  const headers = { 'content-type': `${refusal.contentType}; charset=utf-8`, ...refusal.headers };
  const document = {
    type: `urn:revtain:problem:${refusal.code}`,
    title: titleOf(refusal.code),
    status: refusal.status,
    detail: refusal.detail,
    code: refusal.code,
    error: refusal.error,
    requestId,
    ...(refusal.errors.length > 0 && { errors: refusal.errors }),
    ...refusal.members,
  };
  return { status: refusal.status, headers, body: refusal.body ?? document };
}

/**
 * Turns anything thrown into a refusal. Errors born before our own code (Fastify's, Node's, Nest's) are told apart by
 * their code or status; what is left is a bug, and answers 500 without a word of it.
 */
export function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (isConnectionError(error) || isPassing(error)) return unavailable(error);
  const { code, statusCode, status } = (typeof error === 'object' && error !== null ? error : {}) as ThrownFacts;
  const known = typeof code === 'string' ? BEFORE_OUR_CODE[code] : undefined;
  if (known) return new DomainError(known);
  const httpStatus = [statusCode, status].find((each) => typeof each === 'number');
  return new DomainError((httpStatus !== undefined && BY_STATUS[httpStatus]) || BUG);
}

interface ThrownFacts {
  code?: unknown;
  statusCode?: unknown;
  status?: unknown;
}

type Known = Pick<DomainErrorInit, 'status' | 'code' | 'detail' | 'errors'>;

const TOO_LARGE: Known = {
  status: 413,
  code: 'payload_too_large',
  detail: 'The body is larger than this route takes.',
};
const WRONG_TYPE: Known = {
  status: 415,
  code: 'unsupported_media_type',
  detail: 'Send application/json in UTF-8, not compressed.',
};
const NO_ROUTE: Known = { status: 404, code: 'not_found', detail: 'There is nothing at this address.' };
const BAD_REQUEST = malformed('request', 'is malformed', 'a well-formed HTTP request');
const BUG: Known = {
  status: 500,
  code: 'internal_error',
  detail: 'Something failed on our side. The request id leads to it in the log.',
};

/** @see https://fastify.dev/docs/latest/Reference/Errors/ */
const BEFORE_OUR_CODE: Readonly<Record<string, Known>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: TOO_LARGE,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: WRONG_TYPE,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: malformed(
    'Content-Length',
    'is not the length of the body',
    'the length of the body',
  ),
  FST_ERR_BAD_URL: malformed('path', 'is no valid URL', 'a path with valid percent-encoding'),
  FST_ERR_MAX_PARAM_LENGTH: NO_ROUTE,
  FST_ERR_NOT_FOUND: NO_ROUTE,
};

const BY_STATUS: Readonly<Record<number, Known>> = {
  400: BAD_REQUEST,
  404: NO_ROUTE,
  413: TOO_LARGE,
  414: NO_ROUTE,
  415: WRONG_TYPE,
};

// Serialization failure, deadlock, lock not available, statement timeout: the same request may pass in a moment.
const PASSING = new Set(['40001', '40P01', '55P03', '57014']);

function isPassing(error: unknown): boolean {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as ThrownFacts;
  return typeof code === 'string' && PASSING.has(code);
}

function malformed(field: string, message: string, accepted: string): Known {
  const code = 'invalid_field';
  return { status: 400, code, detail: `${field}: ${message}`, errors: [{ field, code, message, accepted }] };
}

const NOT_ACCEPTED =
  'Nothing was accepted: the database does not answer. Send it again, with the same idempotency key.';
const MAYBE_ACCEPTED =
  'The database did not answer whether this was accepted. Send it again with the same idempotency key; without one, look for it first.';

function unavailable(cause: unknown): DomainError {
  return new DomainError({
    status: 503,
    code: 'not_accepted',
    detail: cause instanceof CommitOutcomeUnknown ? MAYBE_ACCEPTED : NOT_ACCEPTED,
    headers: { 'retry-after': '2' },
    cause,
  });
}

function titleOf(code: string): string {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
