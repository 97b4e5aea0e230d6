import { describe, expect, it } from '@jest/globals';

import { SystemClock } from '../../src/platform/clock.js';
import { isGlobalUnicast } from '../../src/platform/egress/address-rules.js';
import { COULD_NOT_CONNECT, EgressClient } from '../../src/platform/egress/egress-client.js';
import { checkUrl, type EgressPolicy } from '../../src/platform/egress/url-rules.js';
import { HOSTILE_ADDRESSES, HOSTILE_URLS } from './hostile-vectors.js';

const strict: EgressPolicy = { ports: [443, 8443], allowLoopback: false };

describe('hostile vectors', () => {
  it('are more than five hundred, each one once', () => {
    expect(new Set([...HOSTILE_ADDRESSES, ...HOSTILE_URLS]).size).toBeGreaterThan(700);
    expect(HOSTILE_ADDRESSES.length).toBeGreaterThan(300);
  });

  it.each(HOSTILE_ADDRESSES)('%s is no address we connect to', (address) => {
    expect(isGlobalUnicast(address)).toBe(false);
  });

  it.each(HOSTILE_URLS)('%j is refused', (url) => {
    expect(checkUrl(url, strict).kind).toBe('refused');
  });

  it('are refused by the client itself, which does not trust that anybody checked before', async () => {
    const asked: string[] = [];
    const resolve = (name: string) => {
      asked.push(name);
      return Promise.resolve([]);
    };
    const client = new EgressClient(strict, new SystemClock(), { resolve });
    const call = (url: string) => client.post({ url, headers: {}, body: Buffer.from('{}'), deadlineMs: 1_000 });
    const answers = await Promise.all(HOSTILE_URLS.map(call));
    await client.close();
    expect(answers.filter((each) => each.kind === 'answered')).toEqual([]);
    expect(new Set(answers.map((each) => each.kind === 'no_answer' && each.text))).toEqual(
      new Set([COULD_NOT_CONNECT]),
    );
    expect(asked).toEqual([]);
  });

  it.each(HOSTILE_ADDRESSES)('a name that resolves to %s is not connected to', async (address) => {
    const answers = [
      { address: '1.1.1.1', family: 4 },
      { address, family: address.includes(':') ? 6 : 4 },
    ];
    const resolve = () => Promise.resolve(answers);
    const client = new EgressClient(strict, new SystemClock(), { resolve });
    const url = 'https://rebound.example/hook';
    const answer = await client.post({ url, headers: {}, body: Buffer.from('{}'), deadlineMs: 1_000 });
    await client.close();
    expect(answer).toMatchObject({ kind: 'no_answer', text: COULD_NOT_CONNECT });
    expect(answer.kind === 'no_answer' && answer.cause).toContain('is not an address we connect to');
  });
});
