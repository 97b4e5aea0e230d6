/** One field that was refused. It never holds the value itself: that could be a card number. */
export interface FieldProblem {
  /** Path in the body, such as `policy.attemptsMax` or `items[3].amount`; a query field's or header's name. */
  field: string;
  code: string;
  message: string;
  /** What would have been taken, in words. */
  accepted: string;
}

export interface DomainErrorInit {
  status: number;
  /** Public and stable, snake_case, listed in `openapi.yaml`. */
  code: string;
  /** One sentence for people. Never holds a value of the request. */
  detail: string;
  /** The published contract's `error` text; the detail where it says nothing else. */
  error?: string;
  errors?: FieldProblem[];
  headers?: Record<string, string>;
  /** Further members of the problem document, such as `existingTransactionId`. */
  members?: Record<string, unknown>;
  /** Replaces the whole document. */
  body?: object;
  /** `application/problem+json` unless given. */
  contentType?: string;
  cause?: unknown;
}

/**
 * A refusal that the caller is told about. One filter (`problem.filter.ts`) turns it into an answer; everything else
 * that is thrown is a bug and answers 500 without a word of it.
 */
export class DomainError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly error: string;
  readonly errors: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, unknown>>;
  readonly body: object | null;
  readonly contentType: string;

  constructor(init: DomainErrorInit) {
    super(`${init.status} ${init.code}: ${init.detail}`, { cause: init.cause });
    this.name = 'DomainError';
    this.status = init.status;
    this.code = init.code;
    this.detail = init.detail;
    this.error = init.error ?? init.detail;
    this.errors = init.errors ?? [];
    this.headers = init.headers ?? {};
    this.members = init.members ?? {};
    this.body = init.body ?? null;
    this.contentType = init.contentType ?? 'application/problem+json';
  }
}

/** 404. Also the answer for another client's ids, so that they can not be told from ids that never were. */
export function notFound(detail: string): DomainError {
  return new DomainError({ status: 404, code: 'not_found', detail });
}

/** 409 with a code of its own; `members` are added to the problem document. */
export function conflict(code: string, detail: string, members: Record<string, unknown> = {}): DomainError {
  return new DomainError({ status: 409, code, detail, members });
}

/** 400 about one field. */
export function badField(field: string, code: string, message: string, accepted: string): DomainError {
  return badFields([{ field, code, message, accepted }]);
}

/** 400 about several fields; the document's `code` is the first one's. @throws when the list is empty. */
export function badFields(errors: FieldProblem[]): DomainError {
  const [first] = errors;
  if (!first) throw new Error('a refusal of fields names at least one');
  return new DomainError({ status: 400, code: first.code, detail: `${first.field}: ${first.message}`, errors });
}
