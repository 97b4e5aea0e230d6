import {
  chmodSync,
  chownSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { hasCode } from '../error-facts.js';
import { keepSecret, makePrivateFolder } from '../kept-secret.js';
import type { Random } from '../random.js';
import { accountFor, canEnter, makeOpenFolder, runAs, type Account } from './account.js';
import type { Binaries } from './binaries.js';
import { EmbeddedPostgresFailed } from './errors.js';

/** Where the cluster lives and who owns it. */
export interface Home {
  /** Holds the cluster and its log; belongs to `account`. */
  folder: string;
  cluster: string;
  log: string;
  /** A file of the data folder that says a cluster was made. */
  createdMark: string;
  account: Account | null;
}

/** The name of the one superuser of the cluster, and of the database. */
export const DATABASE_NAME = 'revtain';

const POINTER = 'postgres-folder';

/**
 * Finds the cluster's home, or decides on it: `<data folder>/postgres`, or, where root's stand-in cannot enter the
 * data folder (it or a folder above is closed), a folder of its own below `systemFolder`, which a file in the data
 * folder then names.
 */
export function settleHome(dataDir: string, systemFolder: string, random: Random): Home {
  makePrivateFolder(dataDir);
  const pointer = join(dataDir, POINTER);
  const inside = join(dataDir, 'postgres');
  if (existsSync(pointer)) {
    const folder = readFileSync(pointer, 'utf8').trim();
    return makeHome(folder, accountFor(folder), dataDir);
  }

  const account = accountFor(inside);
  if (account && !openTo(dataDir, account)) {
    if (existsSync(join(inside, 'cluster'))) {
      const remedy = `let it pass (chmod o+x the folders above), or move ${dataDir}`;
      throw new EmbeddedPostgresFailed(`runs as uid ${account.uid}, who cannot enter ${inside}: ${remedy}`);
    }
    makeOpenFolder(systemFolder, account);
    const outside = () => join(systemFolder, `cluster-${random.bytes(8).toString('hex')}`);
    return makeHome(keepSecret(pointer, random, outside), account, dataDir);
  }
  return makeHome(inside, account, dataDir);
}

function makeHome(folder: string, account: Account | null, dataDir: string): Home {
  makePrivateFolder(folder);
  if (account) chownSync(folder, account.uid, account.gid);
  return {
    folder,
    cluster: join(folder, 'cluster'),
    log: join(folder, 'server.log'),
    createdMark: join(dataDir, 'postgres-created'),
    account,
  };
}

// The data folder is ours alone (0700). Root's stand-in gets no more than the right to pass through it, by its group.
function openTo(dataDir: string, account: Account): boolean {
  if (canEnter(dataDir, account)) return true;
  if (statSync(dataDir).uid !== 0 || !canEnter(dirname(dataDir), account)) return false;
  chownSync(dataDir, 0, account.gid);
  chmodSync(dataDir, 0o710);
  return true;
}

/**
 * Creates the cluster unless it is there. It is made beside its place and then renamed, so that a start killed half
 * way leaves none that looks whole.
 * @throws {EmbeddedPostgresFailed} when initdb fails, the cluster is of another major version, or was there and is gone.
 */
export async function createCluster(
  home: Home,
  binaries: Binaries,
  secret: { password: string; random: Random; durable: boolean },
): Promise<void> {
  if (isCluster(home.cluster)) {
    refuseOtherVersion(home, binaries);
    return;
  }
  refuseLost(home);

  const tag = secret.random.bytes(6).toString('hex');
  const draft = join(home.folder, `new-${tag}`);
  const passwordFile = join(home.folder, `new-${tag}.password`);
  try {
    writeFileSync(passwordFile, secret.password, { mode: 0o600, flag: 'wx' });
    if (home.account) chownSync(passwordFile, home.account.uid, home.account.gid);
    await initdb(home, binaries, [`--pgdata=${draft}`, `--pwfile=${passwordFile}`, ...(secret.durable ? [] : ['-N'])]);
    moveUnlessThere(draft, home.cluster);
  } catch (error) {
    if (!isCluster(home.cluster)) throw error; // Else another start was faster and swept our draft: its cluster counts.
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
  writeFileSync(home.createdMark, '', { mode: 0o600 });
}

function isCluster(folder: string): boolean {
  return existsSync(join(folder, 'PG_VERSION'));
}

async function initdb(home: Home, binaries: Binaries, args: string[]): Promise<void> {
  // The builtin locale gives UTF-8 whatever LANG says, and sorts the same on every machine.
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
  const access = [`--username=${DATABASE_NAME}`, '--auth=scram-sha-256'];
  const { code, output } = await runAs(home.account, binaries.program('initdb'), [...args, ...locale, ...access]);
  if (code !== 0) throw new EmbeddedPostgresFailed(`could not be created in ${home.folder}: ${lastLines(output)}`);
}

function refuseOtherVersion(home: Home, binaries: Binaries): void {
  const made = readFileSync(join(home.cluster, 'PG_VERSION'), 'utf8').trim();
  if (Number(made) === binaries.major) return;
  const remedy = `move the data with pg_dump of version ${made}, or set DATABASE_URL`;
  throw new EmbeddedPostgresFailed(`is ${binaries.major}, but ${home.cluster} was written by ${made}: ${remedy}`);
}

// A data folder whose cluster lies elsewhere can outlive it, as a volume does; beginning anew would hide the loss.
function refuseLost(home: Home): void {
  if (!existsSync(home.createdMark)) return;
  const remedy = `put it back, or remove ${dirname(home.createdMark)} to begin anew`;
  throw new EmbeddedPostgresFailed(`has lost its data, ${home.cluster} is gone: ${remedy}`);
}

function moveUnlessThere(draft: string, cluster: string): void {
  try {
    renameSync(draft, cluster);
  } catch (error) {
    if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error; // Another start was faster; its cluster counts.
  }
}

/** Removes what starts that were killed half way left. Only for the one who holds the folder. */
export function sweepDrafts(home: Home): void {
  for (const name of readdirSync(home.folder)) {
    if (name.startsWith('new-')) rmSync(join(home.folder, name), { recursive: true, force: true });
  }
}

/** The end of a program's output, where it says why it gave up. */
export function lastLines(output: string): string {
  return output.split('\n').slice(-3).join('\n');
}
