import { Agent, type Dispatcher } from 'undici';

import type { Clock } from '../clock.js';
import { Exchange } from './exchange.js';
import { guardedConnect, type Resolve } from './guarded-connect.js';
import { checkUrl, type EgressPolicy } from './url-rules.js';

export interface EgressRequest {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** From the look-up of the name to the last byte of the answer. */
  deadlineMs: number;
}

export type EgressAnswer =
  | {
      kind: 'answered';
      status: number;
      retryAfter: string | null;
      /** The first bytes of the answer's body as they came, at most 16 KiB, never decompressed. */
      excerpt: Buffer;
      durationMs: number;
    }
  /** `text` is what users are told; `cause` is for our own log alone. */
  | { kind: 'no_answer'; text: typeof COULD_NOT_CONNECT | typeof NO_ANSWER_IN_TIME; cause: string; durationMs: number };

/** What users hear of a failed call, whatever the port did: more would make us a port scanner. */
export const COULD_NOT_CONNECT = 'could not connect';
/**
 * The one exception: a receiver that was connected to and took the request, and then said nothing until the deadline. It
 * tells no more than a status would: for a public address it is said only behind a TLS handshake with a valid
 * certificate for the very name that the user gave.
 */
export const NO_ANSWER_IN_TIME = 'no answer in time';

export interface EgressOptions {
  /** Connections to one origin. */
  connectionsMax?: number;
  /** How names are resolved; the system's way unless given. */
  resolve?: Resolve;
  /** PEM of authorities to believe in place of the system's; tests have one of their own. */
  ca?: string;
}

/**
 * Calls addresses that users gave us: webhooks, alerts, repair callbacks. Follows no redirect, keeps connections alive
 * per origin, and holds every one to the rules of `checkUrl` and `guardedConnect`. Never throws for what the other side
 * does.
 */
export class EgressClient {
  private readonly agent: Dispatcher;
  // The rules do not change while a process runs, so that each address is read once and not at every call.
  private readonly targets = new Map<string, Target>();

  constructor(
    private readonly policy: EgressPolicy,
    private readonly clock: Clock,
    options: EgressOptions = {},
  ) {
    // Our own deadline covers the phases as well; the connector's is the last resort for a socket nobody waits for.
    const connect = guardedConnect(policy, CONNECT_MAX_MS, options);
    this.agent = new Agent({ connect, connections: options.connectionsMax ?? 64, headersTimeout: 0, bodyTimeout: 0 });
  }

  post(request: EgressRequest): Promise<EgressAnswer> {
    const target = this.targetOf(request.url);
    if (target.kind === 'refused') {
      return Promise.resolve({ kind: 'no_answer', text: COULD_NOT_CONNECT, cause: target.cause, durationMs: 0 });
    }
    const { origin, path } = target;
    const headers: string[] = [];
    for (const name in request.headers) headers.push(name, request.headers[name] ?? '');
    return Exchange.run(this.clock, request.deadlineMs, (exchange) => {
      this.agent.dispatch({ origin, path, method: 'POST', headers, body: request.body }, exchange);
    });
  }

  /** Ends idle connections and those on the wire. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private targetOf(url: string): Target {
    const known = this.targets.get(url);
    if (known) return known;
    const target = readTarget(url, this.policy);
    if (this.targets.size >= TARGETS_MAX) this.targets.clear();
    this.targets.set(url, target);
    return target;
  }
}

/** What an address comes to: where the request goes, or why nowhere. */
type Target = { kind: 'allowed'; origin: string; path: string } | { kind: 'refused'; cause: string };

function readTarget(text: string, policy: EgressPolicy): Target {
  const verdict = checkUrl(text, policy);
  if (verdict.kind === 'refused') return { kind: 'refused', cause: `the URL ${verdict.message}` };
  const { origin, pathname, search } = verdict.url;
  return { kind: 'allowed', origin, path: pathname + search };
}

const CONNECT_MAX_MS = 10_000;
const TARGETS_MAX = 1_000;
