import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const SCRIPT = join(import.meta.dirname, 'hold-postgres.mjs');

/** What the holding process says. */
export type Told =
  | { kind: 'up'; connectionString: string; adopted: boolean; pid: number; folder: string }
  | { kind: 'refused'; name: string; message: string }
  | { kind: 'log'; line: string }
  | { kind: 'gone'; message: string }
  | { kind: 'stopped' };

/** How to run it. */
export interface Holder {
  /** The compiled launcher. */
  launcher: string;
  dataDir: string;
  systemFolder: string;
  servicePort?: number;
  script?: string;
  node?: string;
  as?: { uid: number; gid: number } | null;
}

/** A process that holds an embedded PostgreSQL, in a process group of its own as a shell's job has. */
export class HeldPostgres {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    readonly first: Told,
  ) {}

  static async start({ launcher, script = SCRIPT, node = process.execPath, as = null, ...options }: Holder) {
    const child = spawn(node, [script, launcher, JSON.stringify(options)], {
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' }, // No LANG, and nothing of the one who runs the tests.
      stdio: ['pipe', 'pipe', 'inherit'], // Its stdin ends when we do.
      ...(as ?? {}),
    });
    const lines = readLines(child)[Symbol.asyncIterator]();
    return new HeldPostgres(child, lines, await next(lines));
  }

  /** What the start gave. Throws when it was refused. */
  get up(): Extract<Told, { kind: 'up' }> {
    if (this.first.kind !== 'up') throw new Error(`Not up: ${JSON.stringify(this.first)}`);
    return this.first;
  }

  /** The holding process's own id. */
  get processId(): number {
    if (this.child.pid === undefined) throw new Error('The process did not start.');
    return this.child.pid;
  }

  /** What it says when its server is gone, once it does. */
  async gone(): Promise<string> {
    for (;;) {
      const told = await next(this.lines);
      if (told.kind === 'gone') return told.message;
    }
  }

  /** The first line of its log that fits. @throws when its server is gone before. */
  async logged(pattern: RegExp): Promise<string> {
    for (;;) {
      const told = await next(this.lines);
      if (told.kind === 'gone') throw new Error(told.message);
      if (told.kind === 'log' && pattern.test(told.line)) return told.line;
    }
  }

  /** Signals the whole group, as Ctrl-C in a terminal does; answers its last words and exit code. */
  async interrupt(): Promise<{ last: Told; code: number | null }> {
    const ended = once(this.child, 'exit') as Promise<[number | null]>;
    process.kill(-this.processId, 'SIGINT');
    const last = await next(this.lines);
    return { last, code: (await ended)[0] };
  }

  /** Kills it on the spot, and it alone. */
  async killHard(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

function readLines(child: ChildProcess): Interface {
  if (!child.stdout) throw new Error('The process has no stdout.');
  return createInterface({ input: child.stdout });
}

async function next(lines: AsyncIterator<string>): Promise<Told> {
  const line = await lines.next();
  if (line.done) throw new Error('The process ended without a word.');
  return JSON.parse(line.value) as Told;
}
