import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { tableDdl } from '../../packages/receiver/src/postgres-store.js';

const ROOT = join(import.meta.dirname, '..', '..');
const PACKAGE = join(ROOT, 'packages', 'receiver');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

const README = readFileSync(join(PACKAGE, 'README.md'), 'utf8');

const ENTRIES = ['', '/express', '/fastify', '/nest', '/fetch', '/postgres'];

const USE = `
const event = '{"event":"recovery.failed","id":"evt_1"}';
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const headers = kit.signedHeaders(event, secret, { id: 'evt_1' });
console.log(kit.verify(event, headers, secret).kind, kit.verify(event, headers, 'whsec_AAAA').kind);
`;

let folder: string;

/** Runs a file in a project that has the package installed as npm would lay it out, and nothing else. */
function run(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return execFileSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' });
}

/** What the compiler says of files of that project, with the types of the frameworks beside it. */
function complaintsOf(files: string[], options: string[]): string {
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--types', 'node'];
  const typeRoots = ['--typeRoots', join(ROOT, 'node_modules', '@types')];
  const args = [TSC, ...files, ...strict, ...typeRoots, ...options];
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'revtain receiver-'));
  const installed = join(folder, 'node_modules', '@revtain', 'receiver');
  mkdirSync(installed, { recursive: true });
  cpSync(join(PACKAGE, 'package.json'), join(installed, 'package.json'));
  execFileSync(process.execPath, [join(PACKAGE, 'build.mjs'), join(installed, 'dist')]);
  for (const name of ['express', 'pg', '@nestjs', '@types']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the package as it is built', () => {
  it('is loaded by import', () => {
    expect(run('use.mjs', `import * as kit from '@revtain/receiver';${USE}`)).toBe('verified refused\n');
  });

  it('is loaded by require', () => {
    expect(run('use.cjs', `const kit = require('@revtain/receiver');${USE}`)).toBe('verified refused\n');
  });

  it.each(ENTRIES)('has its entry "%s" in both forms, with the same names', (entry) => {
    const name = `@revtain/receiver${entry}`;
    const imported = run('names.mjs', `console.log(Object.keys(await import('${name}')).sort().join())`);
    const required = run('names.cjs', `console.log(Object.keys(require('${name}')).sort().join())`);
    expect(imported.trim()).not.toBe('');
    expect(required).toBe(imported);
  });

  it('depends on nothing', () => {
    const meta = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(meta['dependencies'] ?? meta['peerDependencies'] ?? meta['optionalDependencies']).toBeUndefined();
    expect(meta['engines']).toEqual({ node: '>=18' });
  });

  it.each([
    ['nodenext, as an ES module', 'use.mts', ['--module', 'nodenext']],
    ['nodenext, as CommonJS', 'use.cts', ['--module', 'nodenext']],
    ['a bundler', 'use.ts', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ['node10', 'use.ts', ['--module', 'commonjs', '--moduleResolution', 'node10', '--ignoreDeprecations', '6.0']],
  ])('has types for %s', (_name, file, options) => {
    const text = `import { on } from '@revtain/receiver';
      import { postgresStore } from '@revtain/receiver/postgres';
      import { expressReceiver } from '@revtain/receiver/express';
      const route = on({ 'recovery.failed': (event) => event.endReason satisfies string, otherwise: () => undefined });
      const store = postgresStore(() => Promise.resolve({ rows: [] }));
      export const take = expressReceiver({ secret: 'whsec_', route, store });
      // @ts-expect-error -- Its types are not lost on the way.
      on({ 'recovery.faild': () => null, otherwise: () => null });`;
    writeFileSync(join(folder, file), text);
    expect(complaintsOf([file], options)).toBe('');
  });

  it('has a README whose every example compiles', () => {
    const examples = [...README.matchAll(/```ts\n([^]*?)```/g)].map(([, text = '']) => text);
    expect(examples.length).toBeGreaterThan(4);
    const files = examples.map((text, index) => {
      writeFileSync(join(folder, `example-${index}.mts`), text);
      return `example-${index}.mts`;
    });
    const options = ['--module', 'nodenext', '--experimentalDecorators', '--emitDecoratorMetadata'];
    expect(complaintsOf(files, options)).toBe('');
  });

  it('has a README that shows the table as it is', () => {
    expect(README).toContain(`\`\`\`sql\n${tableDdl()}\n\`\`\``);
    expect(run('table.cjs', `console.log(require('@revtain/receiver/postgres').tableDdl())`)).toBe(`${tableDdl()}\n`);
  });
});
