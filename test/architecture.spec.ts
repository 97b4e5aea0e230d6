import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Which rooms a room may import from; itself is always allowed. A room that is not listed may not exist. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  recovery: [],
  platform: [],
  gateways: ['recovery', 'platform'],
  'test-gateway': ['platform'],
  clients: ['gateways', 'platform', 'recovery'],
  webhooks: ['clients', 'platform', 'recovery'],
  engine: ['clients', 'gateways', 'platform', 'recovery', 'webhooks'],
  execute: ['clients', 'engine', 'gateways', 'platform', 'recovery', 'webhooks'],
  recoveries: ['clients', 'engine', 'execute', 'gateways', 'platform', 'recovery', 'webhooks'],
  connectors: [
    'card-update',
    'clients',
    'engine',
    'execute',
    'gateways',
    'platform',
    'recoveries',
    'recovery',
    'webhooks',
  ],
  'card-update': ['clients', 'engine', 'execute', 'gateways', 'platform', 'recoveries', 'recovery', 'webhooks'],
  sandbox: ['clients', 'engine', 'platform', 'recovery', 'webhooks'],
  alerts: ['clients', 'platform', 'recovery', 'webhooks'],
  lookup: ['clients', 'platform', 'recovery'],
  audit: ['clients', 'platform'],
  verify: ['audit', 'clients', 'platform', 'recovery'],
  health: ['clients', 'gateways', 'platform'],
  'docs-page': ['clients', 'platform'],
  demo: ['platform'],
};

const SRC = resolve(import.meta.dirname, '../src');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.ts$/.test(entry.name) && !/\.spec\.ts$/.test(entry.name) ? [path] : [];
  });
}

const roomOf = (path: string) => relative(SRC, path).split('/')[0] ?? '';

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const names = [...text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gms)].map((found) => found[1] ?? '');
  return names.filter((name) => name.startsWith('.')).map((name) => resolve(dirname(path), name));
}

const FILES = sources(SRC).filter((path) => dirname(path) !== SRC);

describe('the arrows between rooms', () => {
  it('every room is on the map', () => {
    expect([...new Set(FILES.map(roomOf))].filter((room) => !(room in ARROWS))).toEqual([]);
  });

  it.each(Object.keys(ARROWS))('%s imports only what the map allows', (room) => {
    const allowed = new Set([room, ...(ARROWS[room] ?? [])]);
    const wrong = FILES.filter((path) => roomOf(path) === room).flatMap((path) =>
      importsOf(path)
        .filter((target) => !allowed.has(roomOf(target)))
        .map((target) => `${relative(SRC, path)} imports ${relative(SRC, target)}`),
    );
    expect(wrong).toEqual([]);
  });

  it('the core reads no clock, no randomness, no framework and no database', () => {
    const forbidden = /from '(?:@nestjs|pg|typeorm|stripe|undici|axios|node:(?!fs|path|url))/;
    const wrong = FILES.filter((path) => roomOf(path) === 'recovery' && forbidden.test(readFileSync(path, 'utf8')));
    expect(wrong).toEqual([]);
  });

  it('only the settings read process.env, and only the ports read the clock or draw at random', () => {
    const calls = /process\.env|Date\.now\(|new Date\(\)|Math\.random\(/;
    const owners = new Set(['platform/config.ts', 'platform/clock.ts', 'platform/random.ts']);
    const wrong = FILES.map(
      (path) => [relative(SRC, path), readFileSync(path, 'utf8').replace(/\/\*\*[^]*?\*\/|\/\/.*$/gm, '')] as const,
    )
      .filter(([name, text]) => !owners.has(name) && calls.test(text))
      .map(([name]) => name);
    expect(wrong).toEqual([]);
  });
});
