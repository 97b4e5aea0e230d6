// The launcher for plain Node, which cannot read TypeScript: its files are compiled, one by one, into the cache folder.
// They import nothing but each other and packages, so the folder has to hold no more than src/platform's layout.
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { transformSync } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const source = join(root, 'src', 'platform');

/** Compiles the launcher into a folder; returns the path of one of its modules there. */
export function compileLauncher(folder, module) {
  mkdirSync(join(folder, 'embedded-postgres'), { recursive: true });
  place(join(folder, 'package.json'), '{"type":"module"}');
  for (const file of launcherFiles()) {
    const options = { configFile: join(root, '.swcrc'), filename: file, sourceMaps: 'inline' };
    const { code } = transformSync(readFileSync(join(source, file), 'utf8'), options);
    place(join(folder, file.replace(/\.ts$/, '.js')), code);
  }
  return join(folder, 'embedded-postgres', `${module}.js`);
}

/** One of the launcher's modules, such as `throwaway`, ready for use. */
export function importLauncher(module) {
  const path = compileLauncher(join(root, 'node_modules', '.cache', 'revtain-launcher'), module);
  return import(pathToFileURL(path).href);
}

function launcherFiles() {
  const files = readdirSync(join(source, 'embedded-postgres')).filter((file) => /(?<!\.spec)\.ts$/.test(file));
  return ['error-facts.ts', 'kept-secret.ts', 'random.ts', ...files.map((file) => join('embedded-postgres', file))];
}

// Two runs may compile at once; renaming never shows one of them half a file.
function place(path, text) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}
