import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { canEnter, pickAccount, type Account } from '../src/platform/embedded-postgres/account.js';
import { findPostmaster } from '../src/platform/embedded-postgres/postmaster.js';
import { HeldPostgres, type Holder } from './support/held-postgres.js';
import { compileLauncher } from './support/launcher-source.mjs';

const asRoot = process.getuid?.() === 0;
const root = join(import.meta.dirname, '..');

let work: string;
let launcher: string;
let holder: Holder;
const holding: HeldPostgres[] = [];

beforeAll(() => {
  launcher = compileLauncher(join(root, 'node_modules', '.cache', 'revtain-launcher'), 'embedded-postgres');
});

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'revtain launcher-'));
  chmodSync(work, 0o755);
  holder = { launcher, dataDir: join(work, '.data'), systemFolder: join(work, 'system') };
});

afterEach(async () => {
  for (const held of holding.splice(0)) {
    await held.killHard();
    if (held.first.kind === 'up') endServer(held.up.folder);
  }
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
});

describe('the embedded PostgreSQL', () => {
  it('is UTF-8 and UTC without LANG and with a space in its path, closed to others, and keeps its data', async () => {
    const first = await start();
    expect(first.up.adopted).toBe(false);
    expect(await ask(first, 'SELECT current_database() AS name')).toEqual([{ name: 'revtain' }]);
    expect(await ask(first, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
    expect(await ask(first, 'SHOW timezone')).toEqual([{ TimeZone: 'UTC' }]);
    expect(await ask(first, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await ask(first, 'SHOW unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
    expect(await ask(first, "SELECT upper('ä') AS upper")).toEqual([{ upper: 'Ä' }]);
    await ask(first, "CREATE TABLE kept AS SELECT 'still here' AS word");
    await first.interrupt();

    const second = await start();
    expect(second.up.folder).toBe(first.up.folder);
    expect(await ask(second, 'SELECT word FROM kept')).toEqual([{ word: 'still here' }]);
    expect(modeOf(join(holder.dataDir, 'postgres.password'))).toBe(0o600);
    expect(modeOf(holder.dataDir) & 0o067).toBe(0); // Root's stand-in may pass through by its group, nobody else may.
    expect(modeOf(second.up.folder)).toBe(0o700);
    expect(readdirSync(second.up.folder).sort()).toEqual(['cluster', 'server.log']);
  });

  it('refuses a password that is not its own', async () => {
    const held = await start();
    const wrong = new URL(held.up.connectionString);
    wrong.password = 'guessed';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('is not reached by Ctrl-C itself, and is gone when its holder has stopped it', async () => {
    const held = await start();
    expect(serversOf(held.up.folder)).toHaveLength(1);
    expect(await held.interrupt()).toEqual({ last: { kind: 'stopped' }, code: 0 });
    expect(serversOf(held.up.folder)).toEqual([]);
  });

  it('refuses a second start on the folder, naming the first, and leaves its server alone', async () => {
    const first = await start({ servicePort: 3456 });
    const second = await start();
    expect(second.first).toEqual({
      kind: 'refused',
      name: 'DataFolderBusy',
      message:
        `The data folder ${holder.dataDir} is already in use (pid ${first.processId}, port 3456): ` +
        'stop that one first, or set REVTAIN_DATA_DIR to another folder.',
    });
    expect(await ask(first, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is adopted when its holder was killed, and then stopped by the new one', async () => {
    const first = await start();
    await first.killHard();
    const second = await start();
    expect(second.up).toEqual({ ...first.up, adopted: true });
    await second.interrupt();
    expect(serversOf(first.up.folder)).toEqual([]);
  });

  it('starts again when it was killed together with its holder', async () => {
    const first = await start();
    await ask(first, "CREATE TABLE kept AS SELECT 'committed' AS word");
    await first.killHard();
    process.kill(first.up.pid, 'SIGKILL');
    const second = await start();
    expect(second.up.adopted).toBe(false);
    expect(await ask(second, 'SELECT word FROM kept')).toEqual([{ word: 'committed' }]);
  });

  it('tells its holder when it has ended, and the next start has all that was committed', async () => {
    const first = await start();
    await ask(first, "CREATE TABLE kept AS SELECT 'committed' AS word");
    process.kill(first.up.pid, 'SIGKILL');
    expect(await first.gone()).toMatch(/^The embedded PostgreSQL \(pid \d+\) has ended; see .*server\.log$/);

    const second = await start();
    expect(second.up.adopted).toBe(false);
    expect(await ask(second, 'SELECT word FROM kept')).toEqual([{ word: 'committed' }]);
    // The first one stops what it had started, and not what runs there now.
    expect(await first.interrupt()).toEqual({ last: { kind: 'stopped' }, code: 0 });
    expect(await ask(second, 'SELECT word FROM kept')).toEqual([{ word: 'committed' }]);
  });

  it('comes back by itself when only one of its sessions crashed', async () => {
    const held = await start();
    const client = new pg.Client({ connectionString: held.up.connectionString });
    client.on('error', () => undefined); // It is killed.
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    expect(await held.logged(/is held again/)).toMatch(/data folder/);
    expect(serversOf(held.up.folder)).toEqual([held.up.pid]);
  });

  it('gives a new folder to one of two starts at once', async () => {
    const both = await Promise.all([start(), start()]);
    expect(both.map(({ first }) => first.kind).sort()).toEqual(['refused', 'up']);
    expect(both.find(({ first }) => first.kind === 'refused')?.first).toMatchObject({ name: 'DataFolderBusy' });
  });

  it('does not begin anew in silence when its data is gone', async () => {
    const first = await start();
    await first.interrupt();
    rmSync(join(first.up.folder, 'cluster'), { recursive: true });
    const second = await start();
    expect(second.first).toMatchObject({ kind: 'refused', name: 'EmbeddedPostgresFailed' });
    expect(second.first).toHaveProperty('message', expect.stringMatching(/has lost its data.*to begin anew$/));
  });
});

describe('the embedded PostgreSQL of a checkout that is closed to others, with install scripts denied', () => {
  let app: string;
  let node: string;

  beforeEach(() => {
    app = join(work, 'app');
    node = process.execPath;
    copyCheckout(app);
    holder = { ...holder, dataDir: join(app, '.data'), script: join(app, 'hold.mjs') };
    holder.launcher = join(app, 'platform', 'embedded-postgres', 'embedded-postgres.js');
  });

  it('runs for whoever owns the checkout', async () => {
    chmodSync(app, 0o700);
    const held = await start();
    expect(await ask(held, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
    // Root lends PostgreSQL another user, who cannot enter: programs and data lie outside, and the folder says where.
    expect(existsSync(holder.systemFolder)).toBe(asRoot);
    expect(held.up.folder.startsWith(holder.systemFolder)).toBe(asRoot);
    expect(statSync(held.up.folder).uid === 0).toBe(false);
    await held.interrupt();

    const again = await start();
    expect(again.up.folder).toBe(held.up.folder);
  });

  it('runs for a plain user', async () => {
    const user = asRoot ? pickAccount(readFileSync('/etc/passwd', 'utf8')) : null;
    if (user) node = giveTo(user, app, node);
    chmodSync(app, 0o700);
    const held = await start({ as: user, node });
    expect(held.up.folder).toBe(join(app, '.data', 'postgres'));
    expect(await ask(held, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
    await held.interrupt();
    expect(serversOf(held.up.folder)).toEqual([]);
  });
});

async function start(more: Partial<Holder> = {}): Promise<HeldPostgres> {
  const held = await HeldPostgres.start({ ...holder, ...more });
  holding.push(held);
  return held;
}

function ask(held: HeldPostgres, sql: string): Promise<unknown[]> {
  return query(held.up.connectionString, sql);
}

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString });
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

function serversOf(folder: string): number[] {
  const server = findPostmaster(join(folder, 'cluster'));
  return server ? [server.pid] : [];
}

function endServer(folder: string): void {
  for (const pid of serversOf(folder)) process.kill(pid, 'SIGQUIT');
}

/** A checkout with only what the launcher needs, and without the links that install scripts make. */
function copyCheckout(app: string): void {
  mkdirSync(app);
  compileLauncher(join(app, 'platform'), 'embedded-postgres');
  cpSync(join(import.meta.dirname, 'support', 'hold-postgres.mjs'), join(app, 'hold.mjs'));
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  for (const name of [...withDependencies('pg'), 'embedded-postgres', platform]) {
    cpSync(join(root, 'node_modules', name), join(app, 'node_modules', name), {
      recursive: true,
      filter: (path) => !lstatSync(path).isSymbolicLink(),
    });
  }
}

function withDependencies(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  const { dependencies = {} } = createRequire(import.meta.url)(join(root, 'node_modules', name, 'package.json')) as {
    dependencies?: Record<string, string>;
  };
  for (const dependency of Object.keys(dependencies)) withDependencies(dependency, found);
  return found;
}

/** Makes the user the owner of the checkout, and lends a Node that lies where the user cannot go. */
function giveTo(user: Account, app: string, node: string): string {
  const lent = join(app, 'node');
  const reachable = canEnter(dirname(node), user);
  if (!reachable) cpSync(node, lent);
  for (const entry of ['', ...(readdirSync(app, { recursive: true }) as string[])]) {
    chownSync(join(app, entry), user.uid, user.gid);
  }
  return reachable ? node : lent;
}

afterAll(() => {
  expect(holding).toEqual([]);
});
