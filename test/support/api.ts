import { Agent, request } from 'undici';

import { contractChecker } from './contract.js';

export type JsonObject = Record<string, unknown>;

/** An answer with the bytes it came in: a replay is compared by these. */
export interface Answer<Body extends object = JsonObject> {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  body: Body;
}

export interface CallOptions {
  body?: unknown;
  /** In place of `body`: sent as it stands, for requests that no client library would send. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
}

// Waits as long as the service may: 25 s for an answer (openapi.yaml), a walk of the clock longer still.
const agent = new Agent({ headersTimeout: 90_000, bodyTimeout: 90_000, connections: 128 });

/** Speaks HTTP to a running service, and holds every answer to `openapi.yaml`. */
export class Api {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  get<Body extends object = JsonObject>(path: string, headers?: Record<string, string>): Promise<Answer<Body>> {
    return this.call('GET', path, headers ? { headers } : {});
  }

  post<Body extends object = JsonObject>(
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    return this.call('POST', path, { body, headers });
  }

  /** @throws {ContractBreach} when the answer is not what the document says of this route and status. */
  async call<Body extends object = JsonObject>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT',
    path: string,
    { body, raw, headers = {} }: CallOptions = {},
  ): Promise<Answer<Body>> {
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const typed = sent === undefined ? {} : { 'content-type': 'application/json' };
    const response = await request(this.url + path, {
      method,
      headers: { ...typed, ...this.headers, ...headers },
      ...(sent === undefined ? {} : { body: sent }),
      dispatcher: agent,
    });
    const bytes = Buffer.from(await response.body.arrayBuffer());
    const parsed = parsedBody(bytes);
    const { statusCode: status, headers: answered } = response;
    contractChecker().checkResponse({ method, path, status, headers: answered, body: parsed });
    return { status, headers: answered, bytes, body: parsed as Body };
  }
}

function parsedBody(bytes: Buffer): unknown {
  return bytes.length === 0 ? {} : (JSON.parse(bytes.toString('utf8')) as unknown);
}
