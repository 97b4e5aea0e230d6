import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { MUTANTS } from './mutants.js';

const run = promisify(execFile);

interface End {
  recoveries: number;
  hash: string;
  fired: [string, number][];
  found: { violation: { invariant: string } } | null;
}

/** In a process of its own: its timers are virtual. */
async function script(name: string, ...options: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [
    '--import',
    './scripts/typescript.mjs',
    `test/sim/${name}.ts`,
    ...options,
  ]);
  return stdout;
}

async function sim(seed: string, recoveries: string): Promise<End> {
  return JSON.parse(await script('sim', '--seed', seed, '--recoveries', recoveries, '--json')) as End;
}

describe('the simulation', () => {
  it('breaks no invariant under every kind of fault', async () => {
    const { recoveries, fired, found } = await sim('42', '2000');
    expect(found).toBeNull();
    expect(recoveries).toBeGreaterThanOrEqual(2_000);
    const seldom = fired.filter(([, count]) => count < 2).map(([name]) => name);
    expect(seldom).toEqual([]);
    expect(fired.length).toBeGreaterThan(40);
  }, 300_000);

  it('plays the same seed to the same last byte, and another one to another', async () => {
    const [first, second, other] = await Promise.all([sim('7', '200'), sim('7', '200'), sim('8', '200')]);
    expect(second.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
  }, 120_000);

  it.each(MUTANTS)('has a place for the planted bug: $name', async ({ file, find }) => {
    expect((await readFile(file, 'utf8')).split(find)).toHaveLength(2);
  });

  it.each([
    'the fence is dropped',
    'a new key on a resend',
    'no event for an end',
    'an unknown charge is taken for declined',
    'bytes change with each try',
  ])(
    'finds a planted bug: %s',
    async (name) => {
      const told = await script('sim-mutants', '--recoveries', '1000', '--only', name);
      expect(told).toContain('1 of 1 found');
    },
    120_000,
  );
});
