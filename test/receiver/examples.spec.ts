import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from '@jest/globals';

import { RECEIVER_VECTORS } from './vectors.js';

const FOLDER = join(import.meta.dirname, '..', '..', 'examples', 'receivers');

interface Language {
  name: string;
  folder: string;
  /** Tells whether it is installed. */
  look: string[];
  run: string[];
}

const LANGUAGES: Language[] = [
  { name: 'Node', folder: 'node', look: [process.execPath, '--version'], run: [process.execPath, 'vectors.mjs'] },
  { name: 'Python 3', folder: 'python', look: ['python3', '--version'], run: ['python3', '-B', 'vectors.py'] },
  { name: 'PHP', folder: 'php', look: ['php', '--version'], run: ['php', 'vectors.php'] },
  { name: 'Ruby', folder: 'ruby', look: ['ruby', '--version'], run: ['ruby', 'vectors.rb'] },
  { name: 'Go', folder: 'go', look: ['go', 'version'], run: ['go', 'run', '.'] },
];

// Go wants a place for its build cache even where there is no home, and asks its proxy for nothing here.
const scratch = mkdtempSync(join(tmpdir(), 'revtain examples-'));
const env = { ...process.env, GOCACHE: join(scratch, 'go'), GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' };
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function execute([program = '', ...args]: string[], folder: string) {
  return spawnSync(program, args, { cwd: join(FOLDER, folder), env, encoding: 'utf8' });
}

describe('the verifiers to copy', () => {
  for (const { name, folder, look, run } of LANGUAGES) {
    const isInstalled = execute(look, folder).status === 0;
    const title = `${name}: holds all ${RECEIVER_VECTORS.length} vectors`;
    if (!isInstalled) {
      console.warn(`skipped: the ${name} verifier, for ${look[0] ?? ''} is not installed`);
      it.skip(`${title} (skipped: ${look[0] ?? ''} is not installed)`, () => undefined);
      continue;
    }
    it(title, () => {
      const { status, stdout, stderr } = execute(run, folder);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
      expect([stderr, lines.at(-1)]).toEqual(['', `${RECEIVER_VECTORS.length} passed, 0 failed`]);
      expect(lines.slice(0, -1)).toEqual(RECEIVER_VECTORS.map((vector) => `pass ${vector.name}`));
      expect(status).toBe(0);
    });
  }
});
