import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import { hasCode, messageOf } from '../error-facts.js';
import type { FolderHolder } from './errors.js';

/** How to reach the server as its superuser. */
export interface Access {
  port: number;
  user: string;
  password: string;
}

/** The server whose folder is held, and whom to tell when it is gone for good. */
export interface WatchedServer {
  /** False once its process has ended, or another one runs in its place. */
  runs(): boolean;
  /** Called once at most. */
  onGone(): void;
}

/** What trying for the folder gave. `unreachable`: the server is coming up or going down. */
export type LockTry =
  { kind: 'held'; lock: FolderLock } | { kind: 'busy'; holder: FolderHolder } | { kind: 'unreachable'; cause: unknown };

// "REVT" in ASCII; advisory locks know only numbers, and other programs may use small ones.
const LOCK_CLASS = 0x52455654;
const LOCK_FOLDER = 1;
/** A killed process's lock goes when the server notices its closed connection, which takes milliseconds. */
const TRIES_MAX = 10;
const TRY_EVERY_MS = 100;
const RETAKE_EVERY_MS = 1_000;

/**
 * The right to run on a data folder: a session-level advisory lock, held on a connection of its own. It ends with the
 * process, however that ends, so nothing stale is ever left, as a file would be.
 */
export class FolderLock {
  private closing = false;

  private constructor(
    private client: pg.Client,
    private readonly access: Access,
    private label: string,
    private readonly server: WatchedServer,
    private readonly log: (line: string) => void,
  ) {
    this.watch();
  }

  /** Tries for about a second. Whoever comes second is shown our pid and `servicePort`. */
  static async take(
    access: Access,
    servicePort: number | null,
    server: WatchedServer,
    log: (line: string) => void,
  ): Promise<LockTry> {
    const label = labelOf(servicePort);
    const connected = await connect(access, label);
    if (connected.kind === 'unreachable') return connected;
    const { client } = connected;
    try {
      for (let tried = 1; tried <= TRIES_MAX; tried++) {
        if (await tryLock(client)) return { kind: 'held', lock: new FolderLock(client, access, label, server, log) };
        await sleep(TRY_EVERY_MS);
      }
      const holder = await readHolder(client);
      await client.end();
      return { kind: 'busy', holder };
    } catch (error) {
      if (isUnreachable(error)) return { kind: 'unreachable', cause: error };
      throw error;
    }
  }

  /** Tells the port of the service, once it is known, to whoever finds the folder busy. */
  async announce(servicePort: number): Promise<void> {
    this.label = labelOf(servicePort);
    await this.client.query("SELECT set_config('application_name', $1, false)", [this.label]);
  }

  /** Gives the folder up. */
  async release(): Promise<void> {
    this.closing = true;
    await this.client.end();
  }

  /** From now on the end of the connection is expected: the server is about to be stopped. */
  expectEnd(): void {
    this.closing = true;
  }

  // When a server process crashes, PostgreSQL ends all sessions and ours with them, and comes back by itself; the service
  // lives on and so must its hold of the folder. When the server as a whole has ended, nothing brings it back.
  private watch(): void {
    const lost = this.client;
    lost.on('error', (error) => {
      if (!this.closing) this.log(`The hold of the data folder was cut off: ${error.message}`);
    });
    lost.on('end', () => {
      if (!this.closing) void this.retake();
    });
  }

  private async retake(): Promise<void> {
    while (!this.closing) {
      await sleep(RETAKE_EVERY_MS, undefined, { ref: false });
      try {
        await this.takeAgain();
        this.log('The data folder is held again.');
        return;
      } catch (error) {
        if (!this.closing && !this.server.runs()) {
          this.closing = true;
          this.server.onGone();
          return;
        }
        this.log(`The data folder could not be held again: ${messageOf(error)}`);
      }
    }
  }

  private async takeAgain(): Promise<void> {
    const connected = await connect(this.access, this.label);
    if (connected.kind === 'unreachable') throw connected.cause;
    if (!(await tryLock(connected.client))) {
      await connected.client.end();
      throw new Error('another process holds it');
    }
    this.client = connected.client;
    this.watch();
  }
}

async function connect(
  access: Access,
  label: string,
): Promise<{ kind: 'connected'; client: pg.Client } | { kind: 'unreachable'; cause: unknown }> {
  // Advisory locks are per database; this one always exists and nobody copies or drops it.
  const client = new pg.Client({ ...access, host: '127.0.0.1', database: 'postgres', application_name: label });
  // Without a listener a cut connection would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return { kind: 'connected', client };
  } catch (error) {
    if (isUnreachable(error)) return { kind: 'unreachable', cause: error };
    throw error;
  }
}

// 57P01 and 57P03 are PostgreSQL's "shutting down" and "starting up".
function isUnreachable(error: unknown): boolean {
  if (hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P03')) return true;
  return messageOf(error).startsWith('Connection terminated');
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS held', [
    LOCK_CLASS,
    LOCK_FOLDER,
  ]);
  return rows[0]?.held === true;
}

// The server knows its sessions' names, so the holder's pid and port travel in its name.
function labelOf(servicePort: number | null): string {
  return servicePort === null ? `revtain pid ${process.pid}` : `revtain pid ${process.pid} port ${servicePort}`;
}

async function readHolder(client: pg.Client): Promise<FolderHolder> {
  const { rows } = await client.query<{ label: string }>(
    `SELECT a.application_name AS label
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.objid = $2`,
    [LOCK_CLASS, LOCK_FOLDER],
  );
  const [, pid, port] = /^revtain pid (\d+)(?: port (\d+))?$/.exec(rows[0]?.label ?? '') ?? [];
  return { pid: pid ? Number(pid) : null, port: port ? Number(port) : null };
}
