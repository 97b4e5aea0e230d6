import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { FAILPOINTS, readFailpoints } from '../../src/failpoints.js';
import { ArmedGateway } from '../../src/gateways/armed-gateway.js';
import { Gateway } from '../../src/gateways/gateway.js';
import { GatewayRegistry, TestGatewayAddress } from '../../src/gateways/registry.js';
import { StripeGateway } from '../../src/gateways/stripe/stripe-gateway.js';
import { SystemClock } from '../../src/platform/clock.js';
import { loadConfig } from '../../src/platform/config.js';
import { Failpoints, type OwnProcess } from '../../src/platform/failpoints/failpoints.js';
import { nameOfFlight } from '../../src/platform/db/armed-flight.js';
import { Log } from '../../src/platform/logging/log.js';

const SRC = join(import.meta.dirname, '..', '..', 'src');

/** The path that money takes: from the call that accepts a debt to the webhook that tells its end. */
const MONEY_PATH = ['execute', 'engine', 'recoveries', 'webhooks'];
/** In those rooms, what no payment waits for: sweeps, settings, logs, resends by hand. */
const BESIDE =
  /sweeps|endpoint\.repository|endpoints\.service|deliveries\.service|resend|pings|retention|delivery-log|recovery-reader|pulse|armed-/;

/** What could be waited for outside of this process. Through anything but the three ports it would have no failpoint. */
const OTHER_WAYS_OUT =
  /from '(?:pg|typeorm|undici|axios|stripe|node:(?:http|https|net|tls|dns|dgram|child_process|fs\/promises|worker_threads))'/;

const files = MONEY_PATH.flatMap((room) =>
  readdirSync(join(SRC, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts') && !BESIDE.test(name))
    .map((name) => ({ name: `${room}/${name}`, text: readFileSync(join(SRC, room, name), 'utf8') })),
);
const LISTED = new Set(FAILPOINTS);

describe('the failpoints of the money path', () => {
  it('every wait goes through the database, a gateway or the sender of webhooks: nothing else leads out', () => {
    expect(files.filter(({ text }) => OTHER_WAYS_OUT.test(text)).map(({ name }) => name)).toEqual([]);
  });

  it('the database sends every flight through the failpoints', () => {
    const text = readFileSync(join(SRC, 'platform/db/database.ts'), 'utf8');
    expect(text).not.toMatch(/\bsendFlight\(/);
    const entering = [...text.matchAll(/name: '(enter_\w+)'/g)].map(([, name = '']) => name);
    expect(
      entering.map((name) =>
        nameOfFlight([
          { name, text: '' },
          { name: 'x', text: '' },
          { name, text: '' },
        ]),
      ),
    ).toEqual(entering.map(() => 'x'));
  });

  it('every statement has a name', () => {
    const nameless = files.flatMap(({ name, text }) =>
      [...text.matchAll(/\{([^{}]*?)\btext: [`'A-Z]/g)]
        .filter(([, before = '']) => !/\bname\b|statement\(/.test(before))
        .map(([found]) => `${name}: ${found.replace(/\s+/g, ' ')}`),
    );
    expect(nameless).toEqual([]);
  });

  it('every statement that has a name is a failpoint', () => {
    const names = files.flatMap(({ text }) =>
      [...text.matchAll(/\bname: '([a-z_]+)',\s*text\b/g)].map(([, name]) => name),
    );
    // Locks are taken in one flight with what they guard, which is what the flight is called by; a crowd is claimed from in
    // another way than what is due alone, and what can fail is the same.
    const carried = ['card_lock', 'card_locks', 'velocity_lock', 'card_before', 'earlier_recoveries', 'claim_fairly'];
    const missing = names.filter((name = '') => !carried.includes(name) && !LISTED.has(`database.${name}`));
    expect(missing).toEqual([]);
  });

  it('every step that a write may take is a failpoint', () => {
    const text = files.map((file) => file.text).join('\n');
    const steps = new Set([...text.matchAll(/\btype: '([a-z_]+)'/g)].map(([, step = '']) => step));
    const decided = /const TYPE_OF[^{]*\{([^}]*)\}/.exec(text)?.[1] ?? '';
    for (const [, step = ''] of decided.matchAll(/: '([a-z_]+)'/g)) steps.add(step);
    const unlisted = [...steps].filter((step) => !FAILPOINTS.some((name) => name.endsWith(`:${step}`)));
    // Never the last of its write: the decision that follows from it is.
    expect(unlisted.sort()).toEqual(['resolved_by_hand']);
  });

  it('every call of a gateway is a failpoint', () => {
    const calls = Object.getOwnPropertyNames(ArmedGateway.prototype).filter(
      (name) => !['constructor', 'reading', 'through', 'isReachable'].includes(name),
    );
    expect(Object.getPrototypeOf(ArmedGateway)).toBe(Gateway);
    expect(calls.filter((name) => !LISTED.has(`gateway.${name}`))).toEqual([]);
  });

  it('the list names each once', () => {
    expect(LISTED.size).toBe(FAILPOINTS.length);
    expect(FAILPOINTS.length).toBeGreaterThanOrEqual(60);
  });
});

describe('REVTAIN_FAILPOINTS', () => {
  const log = new Log('silent');

  it('unset arms nothing', () => {
    expect(readFailpoints(null, log)).toBeNull();
  });

  it('wraps what speaks to a gateway, so that a call that waits for its turn has not passed yet', () => {
    const armed: Gateway[] = [];
    const arm = (gateway: Gateway) => {
      armed.push(gateway);
      return gateway;
    };
    new GatewayRegistry(new SystemClock(), new TestGatewayAddress(), { stripeApiBase: null, arm });
    expect(armed).toEqual([expect.any(StripeGateway), expect.any(StripeGateway)]);
  });

  it('is refused in production', () => {
    const settings = { NODE_ENV: 'production', REVTAIN_FAILPOINTS: 'trace', DATABASE_URL: 'postgres://u@127.0.0.1/d' };
    expect(() => loadConfig(settings)).toThrow('REVTAIN_FAILPOINTS is refused where NODE_ENV=production');
  });

  it.each(['database.nothing=kill', 'gateway.charge=explode', 'gateway.charge', 'gateway.charge#x=kill'])(
    'refuses %s',
    (text) => expect(() => readFailpoints(text, log)).toThrow('REVTAIN_FAILPOINTS'),
  );
});

describe('an armed failpoint', () => {
  const client = 'cli_01M7ZPCRCDK7G2XDMNW4T7RH76';
  const wire = { before: () => Promise.reject(new Error('cut')), after: () => Promise.reject(new Error('lost')) };
  const sleeper: OwnProcess = { kill: () => undefined, onRelease: () => undefined };
  const armed = (action: 'cut' | 'cut_after' | 'kill' | 'hold', ownProcess = sleeper) =>
    new Failpoints([{ name: 'x', nth: 2, clientId: client, action }], new Log('silent'), ownProcess);

  it('speaks at its own turn, and for its own client only', async () => {
    const failpoints = armed('cut');
    const through = (clientId: string | null) =>
      failpoints.through('x', clientId === null ? [] : [clientId], () => Promise.resolve('worked'), wire);
    expect([await through(client), await through(null), await through('another')]).toEqual([
      'worked',
      'worked',
      'worked',
    ]);
    await expect(through(client)).rejects.toThrow('cut');
    expect(await through(client)).toBe('worked');
  });

  it('after the fact: the work is done, and its answer lost', async () => {
    const failpoints = armed('cut_after');
    let worked = 0;
    const through = () => failpoints.through('x', [client], () => Promise.resolve(++worked), wire);
    await through();
    await expect(through()).rejects.toThrow('lost');
    expect(worked).toBe(2);
  });

  it('kills before anything is done', async () => {
    const killed = await new Promise<string>((resolve) => {
      const failpoints = armed('kill', { kill: () => resolve('killed'), onRelease: () => undefined });
      const through = () => failpoints.through('x', [client], () => Promise.resolve(), wire);
      void through().then(() => failpoints.through('x', [client], () => Promise.resolve(resolve('worked')), wire));
    });
    expect(killed).toBe('killed');
  });

  it('holds until it is let go', async () => {
    let letGo = () => undefined as void;
    const failpoints = armed('hold', { kill: () => undefined, onRelease: (release) => (letGo = release) });
    const done: string[] = [];
    const through = () => failpoints.through('x', [client], () => Promise.resolve(done.push('worked')), wire);
    await through();
    const held = through();
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toHaveLength(1);
    letGo();
    await held;
    expect(done).toHaveLength(2);
  });

  it('a flight is called by what it carries, not by what opens and closes it', () => {
    const frame = (name: string) => ({ name, text: name });
    expect(nameOfFlight([frame('begin'), frame('enter_worker'), frame('card_lock'), frame('card_seen_worker')])).toBe(
      'card_seen_worker',
    );
    expect(nameOfFlight([{ name: 'save_told', about: 'save:recovered', text: '' }, frame('commit')])).toBe(
      'save:recovered',
    );
    expect(nameOfFlight([frame('commit')])).toBe('commit');
  });
});
