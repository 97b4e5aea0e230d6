import type { Log } from '../logging/log.js';

/** What happens at a failpoint. `…_after`: when what it stands around has been worked, and nobody has heard of it yet. */
export const FAILPOINT_ACTIONS = ['kill', 'kill_after', 'cut', 'cut_after', 'hold', 'hold_after'] as const;
export type FailpointAction = (typeof FAILPOINT_ACTIONS)[number];

/** One failpoint, armed. */
export interface FailpointRule {
  name: string;
  /** The how manieth time it is reached, from 1, counted for each client. */
  nth: number;
  /** Null: whoever comes. */
  clientId: string | null;
  action: FailpointAction;
}

/** How the wire of one port breaks. */
export interface Wire<T> {
  /** Before anything was sent. */
  before(): Promise<T>;
  /** After the other side has worked it: its answer is lost. */
  after(): Promise<T>;
}

/** What this process does to itself; a port, because no test survives the real one. */
export interface OwnProcess {
  kill(): void;
  /** Calls back each time somebody tells the process to let go of what it holds. */
  onRelease(release: () => void): void;
}

/**
 * The failpoints of one process that was started for a drill. They stand around every flight to the database, every call
 * of a gateway and every webhook: between two of these nothing that the process does can be seen from outside. In service
 * there is no such object, and the ports are not wrapped.
 */
export class Failpoints {
  private readonly reached = new Map<string, number>();
  private held: (() => void)[] = [];

  /** With no rules, every failpoint that is reached is told in the log. */
  constructor(
    private readonly rules: readonly FailpointRule[],
    private readonly log: Log,
    private readonly ownProcess: OwnProcess,
  ) {
    ownProcess.onRelease(() => {
      for (const letGo of this.held.splice(0)) letGo();
    });
  }

  /** Runs `operation`, unless a rule says otherwise. `of`: the clients whose work it is; none for what is done for all at once. */
  async through<T>(name: string, of: readonly string[], operation: () => Promise<T>, wire: Wire<T>): Promise<T> {
    const passing = (of.length === 0 ? [null] : of).map((clientId) => ({
      clientId,
      nth: this.count(name, clientId),
    }));
    if (this.rules.length === 0) for (const { clientId, nth } of passing) this.tell(name, nth, clientId);
    for (const each of passing) {
      const rule = this.rules.find((known) => fits(known, name, each.nth, each.clientId));
      if (rule) return this.fail(rule, each, operation, wire);
    }
    return operation();
  }

  private async fail<T>(
    rule: FailpointRule,
    { clientId, nth }: { clientId: string | null; nth: number },
    operation: () => Promise<T>,
    wire: Wire<T>,
  ): Promise<T> {
    const { name, action } = rule;
    if (action === 'cut') return this.told(name, nth, clientId, () => wire.before());
    if (action === 'kill' || action === 'hold') await this.stopAt(rule, nth, clientId);
    const result = await operation();
    if (action === 'cut_after') return this.told(name, nth, clientId, () => wire.after());
    if (action === 'kill_after' || action === 'hold_after') await this.stopAt(rule, nth, clientId);
    return result;
  }

  private count(name: string, clientId: string | null): number {
    const key = `${name} ${clientId ?? ''}`;
    const nth = (this.reached.get(key) ?? 0) + 1;
    this.reached.set(key, nth);
    return nth;
  }

  private told<T>(name: string, nth: number, clientId: string | null, next: () => T): T {
    this.tell(name, nth, clientId);
    return next();
  }

  private async stopAt({ name, action }: FailpointRule, nth: number, clientId: string | null): Promise<void> {
    this.tell(name, nth, clientId);
    if (action === 'kill' || action === 'kill_after') this.ownProcess.kill();
    await new Promise<void>((resolve) => this.held.push(resolve));
  }

  private tell(name: string, nth: number, clientId: string | null): void {
    this.log.warn('failpoint.reached', { name, count: nth, clientId });
  }
}

function fits(rule: FailpointRule, name: string, nth: number, clientId: string | null): boolean {
  return rule.name === name && rule.nth === nth && (rule.clientId === null || rule.clientId === clientId);
}

/** SIGKILL leaves no time for anything; SIGUSR2 lets go. */
export const THIS_PROCESS: OwnProcess = {
  kill: () => void process.kill(process.pid, 'SIGKILL'),
  onRelease: (release) => void process.on('SIGUSR2', release),
};
