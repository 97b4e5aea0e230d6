import { RECOMMENDED_ACTIONS, type RecommendedAction } from './event-fields.js';
import {
  EVENT_NAMES,
  isEventName,
  type EventName,
  type EventNamed,
  type RevtainEvent,
  type UnknownEvent,
} from './events.js';
import { withKnownAction } from './parse-event.js';

export interface RouteContext {
  /** The body as it was sent: fields that are newer than this package, and an action it does not know. */
  body: Readonly<Record<string, unknown>>;
}

export type Handler<Event, Result> = (event: Event, context: RouteContext) => Result | Promise<Result>;

type ActionOf<Event> = Event extends { recommendedAction?: infer Action } ? Extract<Action, RecommendedAction> : never;

/** A handler for each action that the event can recommend. `manual_review` also takes those of later versions. */
export type ByAction<Event, Result> = { [Action in ActionOf<Event> | 'manual_review']: Handler<Event, Result> };

type Handlers<Result> = {
  [Name in EventName]: Handler<EventNamed<Name>, Result> | ByAction<EventNamed<Name>, Result>;
};

/** Takes every event that has no handler of its own, those of later versions included. */
export type Otherwise<Result> = Handler<RevtainEvent | UnknownEvent, Result>;

/** Every known event has a handler, or `otherwise` takes the rest: nothing is forgotten unseen. */
export type Routes<Result> =
  | (Partial<Handlers<Result>> & { otherwise: Otherwise<Result> })
  | (Handlers<Result> & { otherwise?: Otherwise<Result> });

export type Routed<Result> = { kind: 'handled'; result: Result } | { kind: 'unhandled' };

export type Router<Result = unknown> = (
  event: RevtainEvent | UnknownEvent,
  body?: Readonly<Record<string, unknown>>,
) => Promise<Routed<Result>>;

type AnyRoute<Result> =
  Handler<RevtainEvent, Result> | Partial<Record<RecommendedAction, Handler<RevtainEvent, Result>>>;

/**
 * Makes a router: one handler per event, or one per recommended action of it.
 * @throws {TypeError} at once, for a name that is no event or action, and for a missing `manual_review`.
 */
export function on<Result>(routes: Routes<Result>): Router<Result> {
  const { otherwise, ...named } = routes;
  const table = new Map(Object.entries(named as Record<string, AnyRoute<Result>>));
  for (const [name, route] of table) assertRoute(name, route);

  return async (event, body = { ...event }) => {
    const readable = withKnownAction(event);
    const route = table.get(readable.event);
    const handler = route === undefined ? otherwise : handlerOf(route, readable.recommendedAction);
    if (handler === undefined) return { kind: 'unhandled' };
    return { kind: 'handled', result: await handler(readable as RevtainEvent, { body }) };
  };
}

function handlerOf<Result>(route: AnyRoute<Result>, action: RecommendedAction | undefined) {
  if (typeof route === 'function') return route;
  return (action === undefined ? undefined : route[action]) ?? route.manual_review;
}

function assertRoute<Result>(name: string, route: AnyRoute<Result> | null | undefined): void {
  if (!isEventName(name)) throw new TypeError(`on: ${name} is no event; known are ${EVENT_NAMES.join(', ')}`);
  if (typeof route === 'function') return;
  if (typeof route !== 'object' || route === null) throw new TypeError(`on: ${name} has no handler`);
  const strange = Object.keys(route).filter((action) => !RECOMMENDED_ACTIONS.some((known) => known === action));
  if (strange.length > 0)
    throw new TypeError(`on: ${name} names ${strange.join(', ')}, which is no recommended action`);
  if (route.manual_review === undefined) throw new TypeError(`on: ${name} has no handler for manual_review`);
}
