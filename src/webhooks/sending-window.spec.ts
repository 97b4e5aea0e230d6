import { describe, expect, it } from '@jest/globals';

import { IN_FLIGHT_MAX, IN_FLIGHT_UNPROVEN, SendingWindow } from './sending-window.js';

interface Item {
  endpoint: { id: string };
  isFailing: boolean;
  number: number;
}

const items = (id: string, count: number, isFailing = false): Item[] =>
  Array.from({ length: count }, (_, number) => ({ endpoint: { id }, isFailing, number }));

function started(window: SendingWindow<Item>): Item[] {
  const begun: Item[] = [];
  for (let next = window.next(); next; next = window.next()) begun.push(next);
  return begun;
}

/** A window that has learned that these endpoints answer within a millisecond. */
function windowServing(...ids: string[]): SendingWindow<Item> {
  const window = new SendingWindow<Item>();
  for (const id of ids) {
    window.add(items(id, 1), window.limits());
    window.next();
    window.done(id, 1, true);
  }
  return window;
}

describe('SendingWindow', () => {
  it('sends at most eight to one endpoint at once, in their order', () => {
    const window = windowServing('a');
    window.add(items('a', 20), window.limits());
    expect(started(window).map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    window.done('a', 1, true);
    expect(window.next()?.number).toBe(8);
    expect(window.next()).toBeNull();
  });

  it('sends at most 128 at once in all', () => {
    const ids = Array.from({ length: 20 }, (_, index) => `e${index}`);
    const window = windowServing(...ids);
    for (const id of ids) window.add(items(id, 8), window.limits());
    expect(started(window)).toHaveLength(IN_FLIGHT_MAX);
  });

  it('keeps half of the places from endpoints that nobody has seen answer, however many they are', () => {
    const window = windowServing('well');
    const dark = Array.from({ length: 40 }, (_, index) => `dark${index}`);
    for (const id of dark) window.add(items(id, 8), window.limits());
    expect(started(window)).toHaveLength(IN_FLIGHT_UNPROVEN);
    window.add(items('well', 8), window.limits());
    expect(started(window).map(({ endpoint }) => endpoint.id)).toEqual(Array<string>(8).fill('well'));
    expect(window.limits().failing).toBe(0);
  });

  it('frees the places of one that turns out to answer', () => {
    const window = windowServing();
    for (let index = 0; index < 9; index += 1) window.add(items(`e${index}`, 8), window.limits());
    expect(started(window)).toHaveLength(IN_FLIGHT_UNPROVEN);
    window.done('e0', 1, true);
    expect(started(window)).toHaveLength(8);
  });

  it('gives one that is known to fail two places from the start', () => {
    const window = new SendingWindow<Item>();
    window.add(items('a', 8, true), window.limits());
    expect(started(window)).toHaveLength(2);
  });

  it('serves endpoints in turn', () => {
    const window = windowServing('a', 'b');
    window.add([...items('a', 3), ...items('b', 3)], window.limits());
    expect(started(window).map(({ endpoint }) => endpoint.id)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('claims for an unknown endpoint no more than it may have on the wire', () => {
    const window = new SendingWindow<Item>();
    expect(window.limits()).toMatchObject({ perEndpoint: 8, rooms: new Map() });
    window.add(items('a', 8), window.limits());
    expect(window.limits().rooms.get('a')).toBe(0);
  });

  it('claims ahead for one that answers fast, and not for one that is slow', () => {
    const fast = windowServing('a');
    expect(fast.limits().rooms.get('a')).toBe(256);
    const slow = new SendingWindow<Item>();
    slow.add(items('a', 1), slow.limits());
    slow.next();
    slow.done('a', 9_000, true);
    expect(slow.limits().rooms.get('a')).toBe(8);
  });

  it('gives one that does not answer two places, until it does', () => {
    const window = windowServing('a');
    window.add(items('a', 9), window.limits());
    expect(started(window)).toHaveLength(8);
    for (let count = 0; count < 8; count += 1) window.done('a', 10_000, false);
    window.add(items('a', 9), window.limits());
    expect(started(window)).toHaveLength(2);
    window.done('a', 5, true);
    expect(started(window)).toHaveLength(7);
  });

  it('asks for more when half of what a fast endpoint was given is done', () => {
    const window = windowServing('a');
    const limits = window.limits();
    window.add(items('a', 256), limits);
    const asked: boolean[] = [];
    for (let sent = 0; sent < 256; sent += 1) {
      window.next();
      asked.push(window.done('a', 1, true));
    }
    expect(asked.indexOf(true)).toBe(127);
  });

  it('asks for more when half of what a slow endpoint was given is done', () => {
    const window = new SendingWindow<Item>();
    window.add(items('a', 8), window.limits());
    started(window);
    const asked = Array.from({ length: 8 }, () => window.done('a', 9_000, true));
    expect(asked.indexOf(true)).toBe(3);
  });

  it('claims so many at once that the first of them need not wait for long', () => {
    const window = windowServing('a');
    expect(window.limits().inAll).toBe(512);
    for (let index = 0; index < 4; index += 1) window.add(items(`e${index}`, 200), window.limits());
    expect(window.limits().inAll).toBe(224);
  });

  it('gives back what was claimed ahead for one that fails now', () => {
    const window = windowServing('a');
    window.add(items('a', 20), window.limits());
    started(window);
    expect(window.shed('a')).toEqual([]);
    window.done('a', 1, false);
    expect(window.shed('a').map(({ number }) => number)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(window.shed('b')).toEqual([]);
  });

  it('gives back what it had not begun', () => {
    const window = windowServing('a');
    window.add(items('a', 10), window.limits());
    started(window);
    expect(window.drain().map(({ number }) => number)).toEqual([8, 9]);
    for (let count = 0; count < 8; count += 1) window.done('a', 1, true);
    expect(window.next()).toBeNull();
  });
});
