import { describe, expect, it } from '@jest/globals';

import { EVENT_NAMES, type RevtainEvent } from '../../packages/receiver/src/events.js';
import { parseEvent } from '../../packages/receiver/src/parse-event.js';
import { on, type Router } from '../../packages/receiver/src/router.js';

function eventOf(fields: Record<string, unknown>) {
  const parsed = parseEvent(JSON.stringify({ id: 'evt_1', ...fields }));
  if (parsed.kind !== 'event') throw new Error(parsed.message);
  return parsed.event;
}

/** As plain JavaScript calls it, where no compiler watches. */
const inJavaScript = on as (routes: object) => Router<string>;

const handled = (result: unknown) => ({ kind: 'handled', result });

describe('on', () => {
  const route = on<string>({
    'recovery.success': (event) => `paid ${event.amount}`,
    'recovery.failed': {
      request_card_update: (event) => `write: ${event.recommendedAction}`,
      manual_review: (event, { body }) => `look: ${event.recommendedAction}, ${String(body['recommendedAction'])}`,
    },
    otherwise: (event) => `other: ${event.event}`,
  });

  it('gives each event to its handler', async () => {
    expect(await route(eventOf({ event: 'recovery.success', amount: 5 }))).toEqual(handled('paid 5'));
    expect(await route(eventOf({ event: 'recovery.holdout' }))).toEqual(handled('other: recovery.holdout'));
  });

  it('gives each action of an event to its handler', async () => {
    const event = eventOf({ event: 'recovery.failed', recommendedAction: 'request_card_update' });
    expect(await route(event)).toEqual(handled('write: request_card_update'));
  });

  it.each(['call_the_bank', 'monitor', 'constructor', '', null, 7])(
    'treats the action %p, which it has no handler for, as manual_review',
    async (recommendedAction) => {
      const body = { event: 'recovery.failed', id: 'evt_1', recommendedAction };
      const routed = await route(eventOf(body), body);
      expect(routed.kind === 'handled' && routed.result).toMatch(/^look: /);
    },
  );

  it('shows an unknown action to a handler without actions as manual_review, and its own word beside it', async () => {
    const plain = on<unknown>({
      'recovery.blocked': (event, { body }) => [event.recommendedAction, body['recommendedAction']],
      otherwise: () => null,
    });
    const body = { event: 'recovery.blocked', id: 'evt_1', recommendedAction: 'call_the_bank' };
    expect(await plain(eventOf(body), body)).toEqual(handled(['manual_review', 'call_the_bank']));
  });

  it.each(['recovery.revived', 'constructor', 'otherwise', '__proto__'])(
    'gives the unknown event %p to otherwise',
    async (event) => {
      expect(await route(eventOf({ event }))).toEqual(handled(`other: ${event}`));
    },
  );

  it('says so when nobody takes an event', async () => {
    const all = Object.fromEntries(EVENT_NAMES.map((name) => [name, (event: RevtainEvent) => event.event]));
    const whole = inJavaScript(all);
    for (const event of EVENT_NAMES) expect(await whole(eventOf({ event }))).toEqual(handled(event));
    expect(await whole(eventOf({ event: 'recovery.revived' }))).toEqual({ kind: 'unhandled' });
  });

  it('fails as the handler fails', async () => {
    const failing = on({ otherwise: () => Promise.reject(new Error('no database')) });
    await expect(failing(eventOf({ event: 'recovery.failed' }))).rejects.toThrow('no database');
  });

  it.each([
    [{ 'recovery.faild': () => null }, /recovery\.faild is no event/],
    [{ 'recovery.failed': null }, /has no handler/],
    [{ 'recovery.failed': { request_card_update: () => null } }, /no handler for manual_review/],
    [{ 'recovery.failed': { manual_review: () => null, write: () => null } }, /names write/],
  ])('refuses routes that can not be meant: %p', (routes, message) => {
    expect(() => inJavaScript(routes)).toThrow(message);
  });

  it('is exhaustive for the compiler', () => {
    // @ts-expect-error -- Neither every event nor `otherwise`.
    expect(on({ 'recovery.failed': () => null })).toBeInstanceOf(Function);
    // @ts-expect-error -- An action that recovery.failed can recommend has no handler.
    expect(() => on({ 'recovery.failed': { request_card_update: () => null }, otherwise: () => null })).toThrow();
  });
});
