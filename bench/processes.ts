import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A child that has said it is ready. */
export interface Started {
  child: ChildProcess;
  /** What the group of `ready` matched in its output. */
  said: string;
}

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;
/** The unit of CPU time in /proc, on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/**
 * Starts a script of ours and resolves when its output matches `ready`.
 * @throws when it ends or says nothing fitting within a minute; it is stopped then.
 */
export function startScript(script: string, env: Record<string, string>, ready: RegExp): Promise<Started> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [...startFlags(), path], {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let output = '';
    let isReady = false;
    const giveUp = (reason: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${script} ${reason}:\n${output}`));
    };
    const timer = setTimeout(() => giveUp('was not ready in time'), READY_WITHIN_MS);
    child.once('error', (error) => giveUp(`could not be started (${error.message})`));
    child.once('exit', (code) => isReady || giveUp(`ended with ${String(code)} before it was ready`));
    child.stdout.on('data', (chunk: Buffer) => {
      if (isReady) return; // The rest is read only so that its pipe never fills.
      output += chunk.toString('utf8');
      const [, said] = ready.exec(output) ?? [];
      if (said === undefined) return;
      isReady = true;
      clearTimeout(timer);
      resolve({ child, said });
    });
  });
}

/** The flags of `npm start`, so that memory and speed are those of the service as it is started. */
function startFlags(): string[] {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { start } = (JSON.parse(text) as { scripts: { start: string } }).scripts;
  const flags = /node (.*)dist\/main\.js/.exec(start)?.[1];
  if (flags === undefined) throw new Error(`the start script is not as the bench knows it: ${start}`);
  return flags.split(' ').filter((flag) => flag !== '');
}

/** Ends a child in good order, or by force after ten seconds. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}

/** The highest resident set that the kernel has seen, in MiB; null where it does not tell (no Linux). */
export function peakMemoryMib(pid: number): number | null {
  const kib = /VmHWM:\s+(\d+)/.exec(textOf(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / 1024);
}

/** CPU time that a process has used, in ms; with `children`, all those below it, ended ones too. 0 where unknown. */
export function cpuMs(pid: number, children = false): number {
  // The name, in brackets, may hold spaces; the numbers follow it.
  const fields = textOf(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  const ticks = (from: number) => Number(fields[from] ?? 0) + Number(fields[from + 1] ?? 0);
  const own = ticks(11) * MS_PER_TICK;
  if (!children) return own;
  return own + ticks(13) * MS_PER_TICK + childrenOf(pid).reduce((sum, each) => sum + cpuMs(each), 0);
}

function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((each) => textOf(`/proc/${each}/stat`).split(') ').at(-1)?.split(' ')[1] === String(pid))
    .map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Gone meanwhile, or no Linux.
  }
}
