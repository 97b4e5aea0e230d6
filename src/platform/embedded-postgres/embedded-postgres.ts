import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import { hasCode } from '../error-facts.js';
import { keepSecret } from '../kept-secret.js';
import { SystemRandom, type Random } from '../random.js';
import { prepareBinaries, type Binaries } from './binaries.js';
import { DataFolderBusy, EmbeddedPostgresFailed } from './errors.js';
import { FolderLock, type Access, type LockTry } from './folder-lock.js';
import { DATABASE_NAME, createCluster, settleHome, sweepDrafts, type Home } from './home.js';
import { findPostmaster, type Postmaster, startPostmaster, stopPostmaster } from './postmaster.js';

/** How to start. */
export interface EmbeddedPostgresOptions {
  /** The data folder; made when missing. */
  dataDir: string;
  log: (line: string) => void;
  /** Called when the server has ended and we did not stop it: nothing brings it back. A log line unless given. */
  onGone?: (error: EmbeddedPostgresFailed) => void;
  /** The port of our HTTP service if known yet, told to a second start on the same folder. */
  servicePort?: number;
  /** Where root puts programs and data that its stand-in could not reach otherwise. */
  systemFolder?: string;
  /** False trades safety against a power cut for speed; only for data nobody needs tomorrow. */
  durable?: boolean;
  random?: Random;
}

/** A PostgreSQL of our own, held by this process alone. */
export interface EmbeddedPostgres {
  /** Of the superuser, on the database `revtain`. */
  readonly connectionString: string;
  /** True when the server ran already, left by a process that was killed. */
  readonly adopted: boolean;
  /** The server's process. */
  readonly pid: number;
  /** Where the cluster and its log are. */
  readonly folder: string;
  /** Tells the port of our HTTP service, once it listens, to a second start on the same folder. */
  announce(servicePort: number): Promise<void>;
  /** Stops the server, adopted or not, and returns when it is gone. Close all connections first. Can be called twice. */
  stop(): Promise<void>;
  /** For a failure on the way up: stops the server if this start brought it up, else only lets go of it. */
  stopUnlessAdopted(): Promise<void>;
}

/** How long a server may take to come up or go down under another start's hand, in tries of 100 ms. */
const SETTLE_TRIES_MAX = 600;
const SETTLE_EVERY_MS = 100;

/**
 * Starts PostgreSQL on a data folder, or adopts the one that a killed process left running on it. The first start
 * creates everything; the data is kept.
 * @throws {DataFolderBusy} when another process runs on the folder; that one's server is left alone.
 * @throws {EmbeddedPostgresFailed} when PostgreSQL cannot run or start here.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { systemFolder = '/var/lib/revtain', durable = true, random = new SystemRandom(), log } = options;
  const { onGone = ({ message }: Error) => log(message) } = options;
  const dataDir = resolve(options.dataDir);
  refuseUnquotable(dataDir);

  const home = settleHome(dataDir, systemFolder, random);
  const copyFolder = home.account ? systemFolder : join(dataDir, 'postgres-programs');
  const binaries = await prepareBinaries(home.account, copyFolder, random);
  const password = keepSecret(join(dataDir, 'postgres.password'), random, () => random.bytes(24).toString('base64url'));
  await createCluster(home, binaries, { password, random, durable });

  const server = await startOrAdopt(home, binaries, durable, ({ pid, port }) => {
    const watched = {
      runs: () => findPostmaster(home.cluster)?.pid === pid,
      onGone: () => onGone(new EmbeddedPostgresFailed(`(pid ${pid}) has ended; see ${home.log}`)),
    };
    return FolderLock.take({ port, user: DATABASE_NAME, password }, options.servicePort ?? null, watched, log);
  });
  if (server.kind === 'busy') throw new DataFolderBusy(dataDir, server.holder);

  const access = { port: server.port, user: DATABASE_NAME, password };
  const started = new RunningPostgres(home, binaries, access, server);
  try {
    sweepDrafts(home);
    await createDatabase(access);
  } catch (error) {
    await started.stopUnlessAdopted();
    throw error;
  }
  return started;
}

// pg_ctl starts the server through a shell and quotes its paths with these characters still alive.
function refuseUnquotable(dataDir: string): void {
  if (process.platform === 'win32' || !/["$`\\\n]/.test(dataDir)) return;
  throw new EmbeddedPostgresFailed(
    `cannot live in ${dataDir}: a path with ", $, \` or \\ is more than pg_ctl can take`,
  );
}

type Holding = { kind: 'held'; lock: FolderLock; pid: number; port: number; adopted: boolean };

/** Goes on until a server runs and its folder is ours or busy; starts and stops of others may go on meanwhile. */
async function startOrAdopt(
  home: Home,
  binaries: Binaries,
  durable: boolean,
  takeLock: (server: Postmaster) => Promise<LockTry>,
): Promise<Holding | Extract<LockTry, { kind: 'busy' }>> {
  let startedByUs = false;
  let cause: unknown = null;
  try {
    for (let tried = 1; tried <= SETTLE_TRIES_MAX; tried++) {
      const running = findPostmaster(home.cluster);
      if (!running) {
        await startPostmaster(home, binaries, durable);
        startedByUs = true;
        continue;
      }
      const taken = await takeLock(running);
      if (taken.kind === 'held') return { ...taken, ...running, adopted: !startedByUs };
      if (taken.kind === 'busy') return taken;
      cause = taken.cause;
      await sleep(SETTLE_EVERY_MS);
    }
    throw new EmbeddedPostgresFailed(`does not answer (see ${home.log})`, { cause });
  } catch (error) {
    if (startedByUs) await stopPostmaster(home, binaries);
    throw explain(error, home);
  }
}

// 28P01 is PostgreSQL's "password authentication failed".
function explain(error: unknown, home: Home): unknown {
  if (!hasCode(error, '28P01')) return error;
  return new EmbeddedPostgresFailed(`on ${home.cluster} refuses the password kept in postgres.password`, {
    cause: error,
  });
}

async function createDatabase(access: Access): Promise<void> {
  const client = new pg.Client({ ...access, host: '127.0.0.1', database: 'postgres' });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE_NAME]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE_NAME}`);
  } finally {
    await client.end();
  }
}

class RunningPostgres implements EmbeddedPostgres {
  readonly connectionString: string;
  readonly adopted: boolean;
  readonly pid: number;
  readonly folder: string;
  private readonly lock: FolderLock;
  private stopping: Promise<void> | null = null;

  constructor(
    private readonly home: Home,
    private readonly binaries: Binaries,
    access: Access,
    server: Holding,
  ) {
    const { user, password, port } = access;
    this.connectionString = `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE_NAME}`;
    this.adopted = server.adopted;
    this.pid = server.pid;
    this.folder = home.folder;
    this.lock = server.lock;
  }

  announce(servicePort: number): Promise<void> {
    return this.lock.announce(servicePort);
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopServer();
    return this.stopping;
  }

  stopUnlessAdopted(): Promise<void> {
    if (!this.adopted) return this.stop();
    this.stopping ??= this.lock.release();
    return this.stopping;
  }

  // The folder stays held until the server has ended our session itself: nobody may adopt one that is going down.
  private async stopServer(): Promise<void> {
    this.lock.expectEnd();
    // One that runs there in its place, after ours had ended, belongs to whoever started it.
    if (findPostmaster(this.home.cluster)?.pid === this.pid) await stopPostmaster(this.home, this.binaries);
    await this.lock.release();
  }
}
