import { isRecommendedAction } from './event-fields.js';
import type { RevtainEvent, UnknownEvent } from './events.js';
import { bytesOf, type RawBody } from './raw-body.js';

export type ParsedEvent =
  | {
      kind: 'event';
      /** Its types hold: an action that this package does not know reads `manual_review`. */
      event: RevtainEvent | UnknownEvent;
      /** All of the body, as it was sent. */
      body: Readonly<Record<string, unknown>>;
    }
  | { kind: 'malformed'; message: string };

/**
 * Reads a body as an event. Call it after `verify`: beside `event` and `id`, its fields are Revtain's word and not checked.
 * Never throws.
 */
export function parseEvent(rawBody: RawBody): ParsedEvent {
  const bytes = bytesOf(rawBody);
  if (bytes === null) return { kind: 'malformed', message: 'the body is not raw' };
  const body = jsonOf(bytes);
  if (!isObject(body)) return { kind: 'malformed', message: 'the body is no JSON object' };
  const { event, id } = body;
  if (typeof event !== 'string' || typeof id !== 'string' || id === '') {
    return { kind: 'malformed', message: 'the body has no event or no id' };
  }
  return { kind: 'event', event: withKnownAction({ ...body, event, id }), body };
}

/** An action of a later version is for a person to look at: not to be ignored, and not to be guessed. */
export function withKnownAction<Event extends RevtainEvent | UnknownEvent>(event: Event): Event {
  const { recommendedAction } = event;
  if (recommendedAction === undefined || isRecommendedAction(recommendedAction)) return event;
  return { ...event, recommendedAction: 'manual_review' };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
