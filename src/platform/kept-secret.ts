import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { hasCode } from './error-facts.js';
import type { Random } from './random.js';

/**
 * Reads a secret that is kept in a file, or makes it on the first call. The file is 0600 and its folder, when it has
 * to be made, 0700. Two processes that call at once get the same secret: the file appears whole under its name or not
 * at all, and whoever comes second reads the first one's.
 * @throws the file system's error when the folder cannot be written or the file cannot be read.
 */
export function keepSecret(path: string, random: Random, make: () => string): string {
  const kept = readIfThere(path);
  if (kept !== null) return kept;

  makePrivateFolder(dirname(path));
  const draft = `${path}.${random.bytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, `${make()}\n`, { mode: 0o600, flag: 'wx' });
    linkUnlessThere(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8').trim();
}

/** Makes a folder for us alone (0700) unless it is there; folders above that are missing get the usual mode. */
export function makePrivateFolder(folder: string): void {
  makeFolder(dirname(folder), 0o777);
  makeFolder(folder, 0o700);
}

/** Not by `recursive`: with it Node 20 never comes back where a folder takes no entries, as `/proc` does not. */
function makeFolder(folder: string, mode: number): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder), 0o777);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error; // Another process was first.
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function linkUnlessThere(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error; // Another process was first; its secret counts.
  }
}
