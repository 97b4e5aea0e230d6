import { isNativeError } from 'node:util/types';

import type Stripe from 'stripe';
import { Agent, type Dispatcher } from 'undici';

/** Sockets kept per origin; the gates (limits/) let fewer calls on the wire, so that one slow merchant holds up nobody. */
const CONNECTIONS_MAX = 512;
/** Four bytes of JSON per field and 100 payments with their charges stay far below; more is no answer of Stripe's. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024;
/** Below Stripe's own idle limit, so that we close an idle socket before the other side does. */
const KEEP_ALIVE_MS = 4_000;
/** A call's own deadline does not end a half-open handshake; this frees its socket. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The one code that the SDK reads as a timeout; the codes that make it send again are ECONNRESET and EPIPE. */
const TIMEOUT_CODE = 'ETIMEDOUT';

/**
 * No whole answer came. It never carries the code of its cause: the SDK repeats a call that failed with ECONNRESET or
 * EPIPE even with `maxNetworkRetries: 0`, and a second send must be the engine's decision.
 */
export class ReplyLost extends Error {
  readonly code?: string;
  override readonly name = 'ReplyLost';

  constructor(message: string, cause: unknown, timedOut: boolean) {
    super(message, { cause });
    if (timedOut) this.code = TIMEOUT_CODE;
  }
}

/** A whole answer, body included: what the SDK may still ask of it can no longer fail on the wire. */
class WholeReply implements Stripe.HttpClientResponse {
  private readonly headers: Record<string, string>;

  constructor(
    private readonly status: number,
    headers: Record<string, string | string[] | undefined>,
    private readonly body: string,
  ) {
    this.headers = {};
    for (const [name, value] of Object.entries(headers)) {
      this.headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
    }
  }

  getStatusCode(): number {
    return this.status;
  }

  getHeaders(): Record<string, string> {
    return this.headers;
  }

  getRawResponse(): object {
    return { statusCode: this.status, headers: this.headers };
  }

  toStream(): never {
    throw new Error('Streamed answers are not used.');
  }

  /**
   * The SDK takes every JSON without `error` as the object asked for, whatever the status. A proxy's
   * `502 {"message": …}` would so become a charge; it is refused here and reads as an answer that is not Stripe's.
   */
  toJSON(): Promise<object> {
    return Promise.resolve(this.body).then((body) => this.asObject(body));
  }

  private asObject(body: string): object {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new Error(`HTTP ${String(this.status)} with JSON that is no object`);
    }
    if ((this.status < 200 || this.status > 299) && !('error' in parsed && parsed.error)) {
      throw new Error(`HTTP ${String(this.status)} without an error object`);
    }
    return parsed;
  }
}

/**
 * The SDK's transport: each call is sent once, over a socket kept alive per origin, and ends at one deadline that
 * covers connecting, waiting for a free socket, the headers and the whole body. Redirects are not followed.
 */
export class OneSendHttpClient implements Stripe.HttpClient {
  private readonly agent: Agent;

  constructor(connectionsMax = CONNECTIONS_MAX) {
    this.agent = new Agent({
      connections: connectionsMax,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: REPLY_BYTES_MAX,
      // Off, because the deadline below is the only one for a call.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  getClientName(): string {
    return 'undici';
  }

  /** @throws {ReplyLost} when no whole answer came within `timeoutMs`, or the connection broke. */
  async makeRequest(
    host: string,
    port: string,
    path: string,
    method: string,
    headers: Record<string, string | number | string[]>,
    requestBody: string,
    protocol: string,
    timeoutMs: number,
  ): Promise<WholeReply> {
    const send = (signal: AbortSignal): Promise<WholeReply> =>
      this.send({
        origin: `${protocol}://${host}:${port}`,
        path,
        method,
        headers: withoutNumbers(headers),
        body: method === 'GET' ? null : requestBody,
        signal,
      });
    return await within(timeoutMs, send);
  }

  /** Whether anything at all answers there: any HTTP status counts. */
  async answers(base: URL, timeoutMs: number): Promise<boolean> {
    try {
      const port = base.port || (base.protocol === 'http:' ? '80' : '443');
      await this.makeRequest(base.hostname, port, '/healthcheck', 'GET', {}, '', base.protocol.slice(0, -1), timeoutMs);
      return true;
    } catch (error) {
      if (error instanceof ReplyLost) return false;
      throw error;
    }
  }

  private async send(request: Dispatcher.RequestOptions): Promise<WholeReply> {
    const reply = await this.agent.request(request);
    return new WholeReply(reply.statusCode, reply.headers, await reply.body.text());
  }

  /** Ends every socket at once; calls still on the wire fail with {@link ReplyLost}. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

/**
 * Runs a call until its deadline. The signal alone would not do: undici hears it only once a socket is connected. A call
 * that waits for its socket is given up here, and by the signal it is not sent any more when the socket comes.
 */
function within(timeoutMs: number, send: (signal: AbortSignal) => Promise<WholeReply>): Promise<WholeReply> {
  return new Promise((resolve, reject) => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      reject(new ReplyLost(`no whole answer within ${String(timeoutMs)} ms`, null, true));
      abort.abort();
    }, timeoutMs);
    send(abort.signal)
      .then(resolve, (cause: unknown) => {
        reject(lostReply(cause));
      })
      .finally(() => {
        clearTimeout(timer);
      });
  });
}

function lostReply(cause: unknown): ReplyLost {
  const name = isNativeError(cause) ? ('code' in cause ? String(cause.code) : cause.name) : 'unknown cause';
  return new ReplyLost(`the connection failed (${name})`, cause, false);
}

function withoutNumbers(headers: Record<string, string | number | string[]>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, typeof v === 'number' ? String(v) : v]));
}
