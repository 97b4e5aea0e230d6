import type { RevtainEvent, UnknownEvent } from './events.js';
import type { HeadersInput } from './headers.js';
import { once, type DedupeStore } from './once.js';
import { parseEvent } from './parse-event.js';
import type { RawBody } from './raw-body.js';
import type { Router } from './router.js';
import { verify, type RefusalReason, type Scheme, type Secrets } from './verify.js';

export interface ReceiverOptions {
  /** The endpoint's secret (`whsec_…`), or several while it is being rotated; a list is read anew at each delivery. */
  secret: Secrets;
  /** What `on({ … })` made. */
  route: Router;
  /** `memoryStore()` or `postgresStore(…)`: any event can come twice. One per endpoint: they share ids of events. */
  store: DedupeStore;
  /** Default `standard`: Revtain always sends the dated headers, and a dated signature can not be replayed. */
  scheme?: Scheme | undefined;
  /** Default 300. */
  toleranceSeconds?: number | undefined;
  /** How long a claim holds when its process dies. Default 300,000. */
  leaseMs?: number | undefined;
  /** The present; default the machine's time. */
  now?: (() => Date) | undefined;
}

export type Received =
  | { kind: 'handled' | 'unhandled' | 'duplicate' | 'in_progress'; event: RevtainEvent | UnknownEvent }
  | { kind: 'refused'; reason: RefusalReason; message: string }
  | { kind: 'malformed'; message: string }
  | { kind: 'too_large' };

/** An answer to Revtain, for any framework. */
export interface Reply {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** JSON. */
  body: string;
}

/** Events are some 2 KiB; more than this is nobody's of Revtain's. */
export const BODY_BYTES_MAX = 1_048_576;

/** A handler is still at work: by then it may be done. */
const COME_BACK_SECONDS = '10';

/**
 * Takes one delivery: verifies it, reads it, and routes it unless it was handled before.
 * @throws what the handler or the store throws; the event is then free for the next try.
 */
export async function receive(
  rawBody: RawBody,
  headers: HeadersInput,
  { secret, route, store, scheme = 'standard', toleranceSeconds, leaseMs, now }: ReceiverOptions,
): Promise<Received> {
  const verification = verify(rawBody, headers, secret, { scheme, toleranceSeconds, now: now?.() });
  if (verification.kind === 'refused') return verification;
  const parsed = parseEvent(rawBody);
  if (parsed.kind === 'malformed') return parsed;

  // The body's own id: it is signed in both schemes, the header's in one.
  const { event, body } = parsed;
  const worked = await once(store, event.id, () => route(event, body), { leaseMs });
  return { kind: worked.kind === 'handled' ? worked.result.kind : worked.kind, event };
}

/**
 * What to answer. 2xx ends a delivery; anything else makes Revtain send it again. Refusals are 401: with them in the delivery
 * log, a wrong secret is soon found.
 */
export function replyTo(received: Received): Reply {
  switch (received.kind) {
    case 'handled':
    case 'unhandled':
    case 'duplicate':
      return reply(200, { received: received.kind });
    case 'in_progress':
      return reply(409, { error: 'in_progress' }, { 'retry-after': COME_BACK_SECONDS });
    case 'refused':
      return reply(401, { error: received.reason, message: received.message });
    case 'malformed':
      return reply(400, { error: 'malformed', message: received.message });
    case 'too_large':
      return reply(413, { error: 'too_large' });
  }
}

function reply(status: number, body: object, headers: Record<string, string> = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
