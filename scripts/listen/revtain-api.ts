import { request } from 'undici';

import { messageOf } from '../../src/platform/error-facts.js';
import { Refused } from './refused.js';

export type Body = Readonly<Record<string, unknown>>;

/** A call to a Revtain on this machine that takes longer than this hangs. */
const TIMEOUT_MS = 15_000;

/** The public API, called as any merchant calls it. */
export class RevtainApi {
  constructor(
    private readonly url: string,
    private readonly apiKey: string,
  ) {}

  /** @throws {Refused} when it does not answer, or with anything but 2xx: in one line that says what to do. */
  async call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Body> {
    const { status, text } = await this.send(method, path, body);
    const answer = bodyOf(text);
    if (status >= 200 && status < 300 && answer !== null) return answer;
    const said = answer === null ? `${status}, not in JSON` : wordsOf(status, answer);
    throw new Refused(`${method} ${this.url}${path} answered ${said}${remedyOf(status, answer)}`, status);
  }

  private async send(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) {
    try {
      const { statusCode, body: answer } = await request(`${this.url}${path}`, {
        method,
        headers: { 'x-api-key': this.apiKey, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      });
      return { status: statusCode, text: await answer.text() };
    } catch (cause) {
      const why = messageOf(cause);
      throw new Refused(`no Revtain answers at ${this.url} (${why}): start it with npm start, or give --api`, null, {
        cause,
      });
    }
  }
}

/** A text field of an answer. @throws {Refused} when there is none: then it is no Revtain that answers. */
export function textOf(body: Body, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Refused(`the answer has no ${name}: is it a Revtain that --api names?`);
  return value;
}

/** The rows of a list. */
export function rowsOf(body: Body): Body[] {
  return Array.isArray(body['data']) ? (body['data'] as Body[]) : [];
}

function bodyOf(text: string): Body | null {
  if (text === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Body) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function wordsOf(status: number, { code, detail, errors }: Body): string {
  const [first] = Array.isArray(errors) ? (errors as Body[]) : [];
  const told = [code, first?.['message'] ?? detail].filter((word) => typeof word === 'string');
  return [status, ...told].join(' ');
}

function remedyOf(status: number, answer: Body | null): string {
  if (status === 401 || status === 403) return ': check --api-key';
  switch (answer?.['code']) {
    case 'too_many_endpoints':
      return ': remove one (DELETE /api/webhook-endpoints/{id}); those described "npm run listen" were left by a kill';
    case 'invalid_field':
      return ': start that Revtain with REVTAIN_ALLOW_LOOPBACK=on';
    case 'endpoint_not_enabled':
      return ': a delivery is sent to its own endpoint again, so replay it (r) while that session listens';
    case 'superseded':
      return ': take another delivery';
    default:
      return '';
  }
}
