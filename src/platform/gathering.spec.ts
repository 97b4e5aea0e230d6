import { describe, expect, it } from '@jest/globals';

import { Gathering } from './gathering.js';

class Refused extends Error {}
class Away extends Error {}

/** Work that waits until it is let go. */
function held() {
  const sets: { items: readonly string[]; land: () => void; fail: (error: Error) => void }[] = [];
  const gathering = new Gathering<string, string>(
    (items) =>
      new Promise((resolve, fail) => {
        sets.push({ items, land: () => resolve(items.map((item) => `${item} done`)), fail });
      }),
    (item) => (item === 'bad' ? Promise.reject(new Refused(item)) : Promise.resolve(`${item} alone`)),
    (error) => error instanceof Away,
    3,
  );
  const add = (kind: string, item: string, apart: string[] = []) => gathering.add(kind, apart, item);
  return { sets, add };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('Gathering', () => {
  it('begins at once, and does together what comes meanwhile', async () => {
    const { sets, add } = held();
    const first = add('k', 'a');
    await turns();
    const rest = Promise.all(['b', 'c', 'd', 'e'].map((item) => add('k', item)));
    await turns();
    expect(sets.map(({ items }) => items)).toEqual([['a']]);
    sets[0]?.land();
    expect(await first).toBe('a done');
    await turns();
    expect(sets[1]?.items).toEqual(['b', 'c', 'd']);
    sets[1]?.land();
    await turns();
    sets[2]?.land();
    expect(await rest).toEqual(['b done', 'c done', 'd done', 'e done']);
  });

  it('never does two kinds together, nor makes one wait for the other', async () => {
    const { sets, add } = held();
    const all = Promise.all([add('k', 'a'), add('l', 'b'), add('k', 'c')]);
    await turns();
    expect(sets.map(({ items }) => items)).toEqual([['a', 'c'], ['b']]);
    for (const { land } of sets) land();
    expect(await all).toEqual(['a done', 'b done', 'c done']);
  });

  it('never does together what shares a name, and keeps its order', async () => {
    const { sets, add } = held();
    const all = Promise.all([
      add('k', 'a', ['x']),
      add('k', 'b', ['x', 'y']),
      add('k', 'c', ['y']),
      add('k', 'd', ['z']),
    ]);
    await turns();
    expect(sets[0]?.items).toEqual(['a', 'd']);
    sets[0]?.land();
    await turns();
    expect(sets[1]?.items).toEqual(['b']);
    sets[1]?.land();
    await turns();
    sets[2]?.land();
    expect(await all).toEqual(['a done', 'b done', 'c done', 'd done']);
  });

  it('does each alone where a set fails, and lets the next set begin meanwhile', async () => {
    const { sets, add } = held();
    const all = Promise.allSettled([add('k', 'a'), add('k', 'bad'), add('k', 'c'), add('k', 'd')]);
    await turns();
    sets[0]?.fail(new Refused('set'));
    await turns();
    sets[1]?.land();
    expect(
      (await all).map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message)),
    ).toEqual(['a alone', 'bad', 'c alone', 'd done']);
  });

  it('fails all of a set where the error is nobody’s own', async () => {
    const { sets, add } = held();
    const all = Promise.allSettled([add('k', 'a'), add('k', 'b')]);
    await turns();
    sets[0]?.fail(new Away('gone'));
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('does not wait for ever for a set that hangs', async () => {
    const { sets, add } = held();
    void add('k', 'a');
    await turns();
    const second = add('k', 'b');
    while (sets.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    sets[1]?.land();
    expect(await second).toBe('b done');
  });
});
