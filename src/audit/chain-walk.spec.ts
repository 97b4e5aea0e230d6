import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { ChainWalk, type Head, type Offence, type StoredLink } from './chain-walk.js';
import { CHAIN_START, digestOf, type EventRow, linkHash } from './event-digest.js';

const CLIENT = 'cli_1';

function event(place: number): EventRow {
  return {
    clientId: CLIENT,
    recoveryId: `r${place % 5}`,
    sequence: String(Math.floor(place / 5) + 1),
    atMicros: String(1_763_700_000_000_000 + place),
    type: 'charge_opened',
    fromState: place < 5 ? null : 'queued',
    toState: 'queued',
    rule: 'due',
    inputs: `{"n": ${place}}`,
    actor: 'engine',
    writtenIn: String(700 + place),
  };
}

/** A chain as the chainer makes it. */
function chain(length: number): { links: StoredLink[]; head: Head } {
  const links: StoredLink[] = [];
  let hash = CHAIN_START;
  for (let number = 1; number <= length; number += 1) {
    const row = event(number - 1);
    const digest = digestOf(row);
    hash = linkHash(hash, number, digest);
    links.push({ number, recoveryId: row.recoveryId, sequence: row.sequence, digest, hash, event: row });
  }
  return { links, head: { number: length, hash } };
}

function offencesOf(links: StoredLink[], head: Head): Offence[] {
  const walk = new ChainWalk(CLIENT);
  return [...links.flatMap((link) => walk.next(link)), ...walk.end(head)];
}

const kindsOf = (links: StoredLink[], head: Head) => offencesOf(links, head).map(({ kind }) => kind);

describe('a walk along a chain', () => {
  it('finds nothing in a chain as it was made, of any length', () => {
    for (const length of [1, 2, 17, 100]) {
      const { links, head } = chain(length);
      expect(offencesOf(links, head)).toEqual([]);
    }
  });

  it.each(Object.keys(event(0)) as (keyof EventRow)[])(
    'tells that %s of one event was changed, and of no other',
    (column) => {
      const { links, head } = chain(9);
      const link = links[6] as StoredLink;
      links[6] = { ...link, event: { ...(link.event as EventRow), [column]: 'other' } };
      expect(offencesOf(links, head)).toEqual([
        {
          kind: 'event_changed',
          clientId: CLIENT,
          transactionId: link.recoveryId,
          detail: expect.stringContaining('link 7'),
        },
      ]);
    },
  );

  it('tells what was deleted, reordered and cut', () => {
    const { links, head } = chain(9);
    const swapped = links
      .with(3, { ...(links[4] as StoredLink), number: 4 })
      .with(4, { ...(links[3] as StoredLink), number: 5 });
    expect(kindsOf(links.with(3, { ...(links[3] as StoredLink), event: null }), head)).toEqual(['event_missing']);
    expect(kindsOf(links.toSpliced(3, 1), head)).toEqual(['link_missing']);
    expect(kindsOf(swapped, head)).toEqual(['link_changed', 'link_changed', 'link_changed']);
    expect(kindsOf(links.slice(0, -1), head)).toEqual(['head_mismatch']);
  });

  it('tells that events were changed together with every link behind them, by the head that was signed', () => {
    const { head } = chain(9);
    const relinked = chain(9).links.map((link) => ({
      ...link,
      event: { ...(link.event as EventRow), actor: 'intruder' },
    }));
    let hash = CHAIN_START;
    const forged = relinked.map((link) => {
      const digest = digestOf(link.event);
      hash = linkHash(hash, link.number, digest);
      return { ...link, digest, hash };
    });
    expect(kindsOf(forged, head)).toEqual(['head_mismatch']);
  });

  it('finds each of 10,000 changes made at random', () => {
    const { links, head } = chain(30);
    const place = fc.nat(links.length - 1);
    const bit = fc.nat(255);
    const flipped = (bytes: Buffer, at: number) => {
      const copy = Buffer.from(bytes);
      copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
      return copy;
    };
    const column = fc.constantFrom(...(Object.keys(event(0)) as (keyof EventRow)[]));
    const tamper = fc.oneof(
      fc.tuple(place, column, fc.string({ minLength: 1 })).map(([at, name, suffix]) => {
        const link = links[at] as StoredLink;
        const row = link.event as EventRow;
        return links.with(at, { ...link, event: { ...row, [name]: `${row[name] ?? ''}${suffix}` } });
      }),
      place.map((at) => links.toSpliced(at, 1)),
      place.map((at) => links.with(at, { ...(links[at] as StoredLink), event: null })),
      fc.tuple(place, bit).map(([at, which]) => {
        const link = links[at] as StoredLink;
        return links.with(at, { ...link, hash: flipped(link.hash, which) });
      }),
      fc.tuple(place, bit).map(([at, which]) => {
        const link = links[at] as StoredLink;
        return links.with(at, { ...link, digest: flipped(link.digest, which) });
      }),
      fc.nat(links.length - 2).map((at) => {
        const [first, second] = [links[at] as StoredLink, links[at + 1] as StoredLink];
        return links.with(at, { ...second, number: first.number }).with(at + 1, { ...first, number: second.number });
      }),
      fc.nat(links.length - 1).map((length) => links.slice(0, length)),
    );
    const found = fc.property(tamper, (tampered) => offencesOf(tampered, head).length > 0);
    fc.assert(found, { numRuns: 10_000, seed: 42 });
  });
});
