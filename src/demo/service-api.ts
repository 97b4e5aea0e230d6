import { request } from 'undici';

/** An answer of the service. */
export interface ApiAnswer {
  status: number;
  body: Readonly<Record<string, unknown>>;
}

/** Who asks: the operator, or a merchant. */
export type Credentials = { adminKey: string } | { apiKey: string };

/** Startup calls go to this very process; one that takes longer than this hangs. */
const TIMEOUT_MS = 10_000;

/** The service's own HTTP API, called as anybody else calls it. */
export class ServiceApi {
  constructor(private readonly baseUrl: string) {}

  async call(method: 'GET' | 'POST' | 'PATCH', path: string, who: Credentials, body?: object): Promise<ApiAnswer> {
    const key = 'adminKey' in who ? { 'x-admin-key': who.adminKey } : { 'x-api-key': who.apiKey };
    const answer = await request(`${this.baseUrl}${path}`, {
      method,
      headers: { ...key, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
  }
}

/** One text field of an answer that must be of this status. @throws with what the service said instead. */
export function expectAnswer(answer: ApiAnswer, status: number, what: string): ApiAnswer['body'] {
  if (answer.status === status) return answer.body;
  const said = [answer.body['code'], answer.body['detail']].filter((each) => typeof each === 'string').join(': ');
  throw new Error(`${what} answered ${answer.status} (${said})`);
}

/** @throws when the field is missing or no text. */
export function textField(body: ApiAnswer['body'], name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}`);
  return value;
}
