import { pino, type DestinationStream, type Logger } from 'pino';

import { holdsCardNumber } from '../http/card-number.js';

/**
 * The only facts that reach a log line. An allow-list and not a list of things to hide: what nobody thought of stays
 * out. Bodies, tokens, keys, e-mails and free text of a request have no name here.
 */
export const LOGGED_FACTS = [
  'requestId',
  'method',
  'route',
  'status',
  'code',
  'durationMs',
  'clientId',
  'cardUpdateId',
  'keyId',
  'transactionId',
  'attemptId',
  'eventId',
  'eventType',
  'deliveryId',
  'endpointId',
  'state',
  'fromState',
  'toState',
  'outcome',
  'decision',
  'rule',
  'trigger',
  'endReason',
  'declineCode',
  'provider',
  'gatewayStatus',
  'gatewayCode',
  'gatewayRequestId',
  'count',
  'tryNumber',
  'dueAt',
  'lagMs',
  'name',
  'kind',
  'role',
  'url',
  'signal',
  'migration',
  'platform',
  'subject',
  'reason',
  'text',
  'errorName',
  'errorCode',
  'errorText',
  'errorFrames',
  'errorConstraint',
] as const;
export type LogFact = (typeof LOGGED_FACTS)[number];
export type LogFacts = { readonly [fact in LogFact]?: string | number | boolean | Date | null | undefined };
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const TEXT_SHOWN_MAX = 2_000;

/** Structured lines on stdout, one per unit of work: `event` says what happened (`attempt.settled`), facts say to whom. */
export class Log {
  private readonly pino: Logger;
  private readonly announcer: Logger;

  constructor(level: LogLevel, sink?: DestinationStream) {
    const options = { level, base: null, messageKey: 'event', timestamp: pino.stdTimeFunctions.isoTime };
    this.pino = sink ? pino(options, sink) : pino(options);
    this.announcer = level === 'silent' ? this.pino : this.pino.child({}, { level: 'info' });
  }

  debug(event: string, facts: LogFacts = {}): void {
    if (this.pino.isLevelEnabled('debug')) this.pino.debug(allowed(facts), event);
  }

  info(event: string, facts: LogFacts = {}): void {
    if (this.pino.isLevelEnabled('info')) this.pino.info(allowed(facts), event);
  }

  /** For what whoever started it has to know at every level but `silent`: where it is. */
  announce(event: string, facts: LogFacts): void {
    this.announcer.info(allowed(facts), event);
  }

  warn(event: string, facts: LogFacts = {}): void {
    this.pino.warn(allowed(facts), event);
  }

  /** With what is safe of the error: its name, code and stack frames, never a message that could quote data. */
  error(event: string, facts: LogFacts, error: unknown): void {
    this.pino.error(allowed({ ...facts, ...errorFacts(error) }), event);
  }

  fatal(event: string, facts: LogFacts, error: unknown): void {
    this.pino.fatal(allowed({ ...facts, ...errorFacts(error) }), event);
  }
}

/** JSON escapes line breaks, so no value can forge a line of its own. */
function allowed(facts: LogFacts): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const name of LOGGED_FACTS) {
    const value = facts[name];
    if (value === undefined || value === null) continue;
    kept[name] = typeof value === 'string' ? safeText(value) : value instanceof Date ? value.toISOString() : value;
  }
  return kept;
}

// The guard at the door keeps card numbers out; this is the last line behind it.
function safeText(text: string): string {
  return holdsCardNumber(text) ? '[card number]' : text.slice(0, TEXT_SHOWN_MAX);
}

function errorFacts(error: unknown): LogFacts {
  if (typeof error !== 'object' || error === null) return { errorName: typeof error };
  const { name, code, constraint, stack } = error as Record<string, unknown>;
  return {
    errorName: typeof name === 'string' ? name : 'Error',
    errorCode: typeof code === 'string' ? code : null,
    errorConstraint: typeof constraint === 'string' ? constraint : null,
    errorText: safeMessage(error as Record<string, unknown>),
    errorFrames: typeof stack === 'string' ? framesOf(stack) : null,
  };
}

const MESSAGE_SHOWN_MAX = 300;

/**
 * A message may quote what a caller sent (a JSON error does) or a row (PostgreSQL's do), so only those are shown that
 * hold none: the operating system's, which name a call and an address, the language's own, and our own assertions,
 * which are plain errors without a code.
 */
function safeMessage({ name, message, syscall, code, type }: Record<string, unknown>): string | null {
  if (typeof message !== 'string') return null;
  const isPlain = name === 'Error' && code === undefined && type === undefined;
  const isOfLanguage = name === 'TypeError' || name === 'RangeError' || name === 'ReferenceError';
  return typeof syscall === 'string' || isPlain || isOfLanguage ? message.slice(0, MESSAGE_SHOWN_MAX) : null;
}

function framesOf(stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, 12)
    .map((line) => line.trim())
    .join(' | ');
}
