import type { Caller } from '../../src/clients/caller.js';
import type { ExecuteRequest } from '../../src/execute/execute-request.js';
import { isConnectionError } from '../../src/platform/db/database.js';
import { DomainError } from '../../src/platform/http/domain-error.js';
import type { Debt } from './debts.js';
import type { Dice } from './dice.js';
import type { Process } from './process.js';
import type { Timeline } from './timeline.js';

/** One answered call. `status` is what HTTP would say. */
export interface Answered {
  debt: Debt;
  call: string;
  key: string | null;
  status: number;
  code: string | null;
  transactionId: string | null;
  body: string;
  replayed: boolean;
  /** What was asked, where it was an execute. */
  request: ExecuteRequest | null;
}

type Asked = Pick<Answered, 'debt' | 'call' | 'key' | 'request'>;
type Said = Omit<Answered, keyof Asked>;
type Send = (process: Process, caller: Caller) => Promise<{ status: number; body: string; replayed: boolean }>;

/** A caller gives up on a silent server after so long, and calls again. */
const CALLER_PATIENCE_MS = 30_000;
const CALLS_MAX = 12;

/** The merchant's backend: it repeats a call until it is answered, under the same key. */
export class Merchant {
  readonly answers: Answered[] = [];
  onAnswer: (answered: Answered) => void = () => undefined;
  onUnanswered: (debt: Debt, key: string) => void = () => undefined;
  onBug: (what: string, error: unknown) => void = () => undefined;

  constructor(
    private readonly timeline: Timeline,
    private readonly dice: Dice,
    private readonly alive: () => Process[],
  ) {}

  execute(debt: Debt, request: ExecuteRequest, key: string | null): void {
    const options = { headerKey: key, chargeInRequest: !this.dice.chance(0.1) };
    // Without a key and a name, a repeat would be another debt.
    const isRepeatable = key !== null || request.reference !== undefined || request.invoiceId !== undefined;
    this.call({ debt, call: 'execute', key, request }, isRepeatable ? CALLS_MAX : 1, async (process, caller) => {
      const { status, body, replayed } = await process.execute.execute(caller, request, options);
      return { status, body: body.toString(), replayed };
    });
  }

  /** Any other call. One that was not answered is repeated, for all of them may be. */
  steer(debt: Debt, name: string, steer: (process: Process, caller: Caller) => Promise<object>): void {
    this.call({ debt, call: name, key: null, request: null }, 3, async (process, caller) => {
      const answer = await steer(process, caller);
      return { status: 200, body: JSON.stringify(answer), replayed: false };
    });
  }

  private call(asked: Asked, triesLeft: number, send: Send): void {
    const again = (afterMs: number) => {
      if (triesLeft <= 1) return this.giveUp(asked);
      this.timeline.plan(this.timeline.nowMs + afterMs, () => this.call(asked, triesLeft - 1, send));
    };
    const up = this.alive();
    if (up.length === 0) return again(this.dice.between(500, 5_000));
    const process = this.dice.pick(up);
    let isOver = false;
    this.timeline.plan(this.timeline.nowMs + CALLER_PATIENCE_MS, () => {
      if (!isOver) again(0);
      isOver = true;
    });
    this.timeline.enter(process);
    const served = this.serve(process, asked.debt, send);
    void served.then(({ status, ...rest }) => {
      this.keep({ ...asked, status, ...rest });
      if (!isOver && (status === 503 || rest.code === 'idempotency_in_flight')) again(this.dice.between(1_000, 20_000));
      isOver = true;
    });
  }

  private async serve(process: Process, { clientId }: Debt, send: Send): Promise<Said> {
    try {
      const settings = await process.directory.settings(clientId);
      const sent = await send(process, { clientId, keyId: 'key_1', kind: 'secret', settings });
      const { transactionId } = JSON.parse(sent.body) as { transactionId?: string };
      return { ...sent, code: null, transactionId: transactionId ?? null };
    } catch (error) {
      return this.refused(error);
    }
  }

  private refused(error: unknown): Said {
    const nothing = { transactionId: null, body: '', replayed: false };
    if (error instanceof DomainError) return { ...nothing, status: error.status, code: error.code };
    if (!isConnectionError(error)) this.onBug('a call ended with an error', error);
    return { ...nothing, status: 503, code: 'not_accepted' };
  }

  /** A call that can be repeated must be answered at some time. */
  private giveUp({ call, key, debt }: Asked): void {
    if (call === 'execute' && key !== null) this.onUnanswered(debt, key);
  }

  private keep(answered: Answered): void {
    this.answers.push(answered);
    this.onAnswer(answered);
  }
}
