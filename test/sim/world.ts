import type { Vault } from '../../src/platform/crypto/vault.js';
import { DebtMaker, type Debt } from './debts.js';
import { Dice, DiceRandom } from './dice.js';
import { Faults, type FaultName } from './faults.js';
import { Bank } from './gateway/bank.js';
import { ChargingDesk } from './gateway/charging-desk.js';
import { GatewayHouse } from './gateway/gateway-port.js';
import { Wire } from './gateway/wire.js';
import { CommitChecks } from './invariants/commit-checks.js';
import { EndChecks } from './invariants/end-checks.js';
import { GatewayChecks } from './invariants/gateway-checks.js';
import { ReceiverChecks } from './invariants/receiver-checks.js';
import type { Violation } from './invariants/violation.js';
import { nextClaimMs } from './memory/claims.js';
import { nextSendMs } from './memory/deliveries.js';
import { MemoryDatabase } from './memory/memory-database.js';
import type { RecoveryRow } from './memory/rows.js';
import { Tables, type Write } from './memory/tables.js';
import { Merchant } from './merchant.js';
import { Plot } from './plot.js';
import type { BugLog } from './ports.js';
import { Process, type Role, type Surroundings } from './process.js';
import { Receivers } from './receivers.js';
import { addClient } from './setting.js';
import { STEPS_MAX, Timeline } from './timeline.js';
import { TraceHash } from './trace-hash.js';
import { liveIn } from './virtual-timers.js';
import { drawWeather } from './weather.js';

const DAY_MS = 86_400_000;
/** From then on nothing goes wrong any more, so that all can end; by the last day it must have. */
const CALM_AFTER_MS = 60 * DAY_MS;
const LAST_DAY_MS = 400 * DAY_MS;
const STARTS_MS = Date.UTC(2026, 0, 1);
const ROLES: readonly Role[] = ['engine', 'engine', 'dispatcher', 'dispatcher'];

/** Which world to play: the same one is the same to the last byte. */
export interface WorldPlan {
  seed: number;
  index: number;
  debts: number;
  /** Debts that are left out, and faults that never happen: how a failing story is shrunk. */
  without?: ReadonlySet<number>;
  off?: ReadonlySet<FaultName>;
}

/** What all worlds of a thread share, because it costs more than a world. */
export interface Thread {
  vault: (random: DiceRandom) => Vault;
  log: BugLog;
}

export interface WorldEnd {
  recoveries: number;
  hash: string;
  fired: ReadonlyMap<FaultName, number>;
  violations: Violation[];
  steps: number;
  states: ReadonlyMap<string, number>;
}

/** A gateway, a database, receivers, three processes of the product, and some debts; played to the end of all of them. */
export class World {
  readonly violations: Violation[] = [];
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly bank: Bank;
  readonly tables: Tables;
  readonly debts = new Map<number, Debt>();
  readonly merchant: Merchant;
  readonly clientIds: string[] = [];
  readonly processes: Process[] = [];
  readonly surroundings: Surroundings;
  readonly receivers: Receivers;
  private readonly hash = new TraceHash();
  private readonly commits: CommitChecks;
  private readonly gateway: GatewayChecks;
  private readonly tries: ReceiverChecks;

  constructor(
    private readonly plan: WorldPlan,
    thread: Thread,
  ) {
    const dice = (name: string) => new Dice(plan.seed, plan.index, name);
    const schedule = dice('schedule');
    this.timeline = new Timeline(
      STARTS_MS + new Dice(plan.seed, plan.index, 'start').between(0, 365) * DAY_MS,
      schedule,
    );
    const { timeline } = this;
    liveIn(timeline);
    const startMs = timeline.nowMs;
    this.faults = new Faults(dice('faults'), drawWeather(dice('weather')), plan.off ?? new Set(), () => timeline.nowMs);
    this.faults.calmFromMs = startMs + CALM_AFTER_MS;
    this.tables = new Tables(() => timeline.nowMs);
    const memory = new MemoryDatabase(this.tables, (writes, by) => this.committed(writes, by as Process));
    this.bank = new Bank(timeline);
    const report = (invariant: string, debt: number | null, detail: string) =>
      void this.violations.push({ invariant, debt, atMs: timeline.nowMs, detail });
    const debtOf = (id: string) => this.debtOf(id);
    this.commits = new CommitChecks(this.tables, debtOf, report);
    this.gateway = new GatewayChecks(this.tables, this.bank, this.debts, debtOf, report, () => timeline.nowMs);
    this.tries = new ReceiverChecks(this.tables, debtOf, report);
    const desk = new ChargingDesk(this.bank, timeline, this.faults, this.gateway);
    const house = new GatewayHouse(this.bank, desk, new Wire(timeline, this.faults), this.faults, () => timeline.nowMs);
    this.receivers = new Receivers(timeline, this.faults);
    const random = new DiceRandom(dice('random'));
    const vault = thread.vault(random);
    const { log } = thread;
    log.listen((event, error) => report('no_bug', null, `${event}: ${describe(error)}`));
    this.surroundings = {
      timeline,
      store: memory,
      faults: this.faults,
      house,
      receivers: this.receivers,
      vault,
      random,
      log,
      nextClaimMs: untilWritten(this.tables, nextClaimMs),
      nextSendMs: untilWritten(this.tables, nextSendMs),
    };
    this.merchant = new Merchant(timeline, dice('merchant'), () => this.processes.filter(({ dead }) => !dead));
    this.merchant.onBug = (what, error) => report('no_bug', null, `${what}: ${describe(error)}`);
    this.merchant.onUnanswered = ({ index }, key) => report('calls_are_answered', index, key);
    this.watch();
    this.settle(dice('setting'));
  }

  /** Plays it to its end, or to the first violation. */
  async play(): Promise<WorldEnd> {
    const endMs = this.timeline.nowMs + LAST_DAY_MS;
    for (let atMs = this.timeline.nowMs; atMs < endMs && this.violations.length === 0; atMs += DAY_MS) {
      if (!(await this.timeline.runUntil(atMs)) || this.timeline.steps >= STEPS_MAX) break;
    }
    if (this.violations.length === 0) this.checkEnd();
    for (const process of this.processes) process.kill();
    const states = new Map<string, number>();
    for (const { state } of this.tables.recoveries.all()) states.set(state, (states.get(state) ?? 0) + 1);
    return {
      recoveries: [...this.tables.recoveries.all()].length,
      hash: this.hash.digest(),
      fired: this.faults.fired,
      violations: this.violations,
      steps: this.timeline.steps,
      states,
    };
  }

  restart(place: number): void {
    const process = new Process(ROLES[place] ?? 'engine', this.surroundings);
    this.processes[place] = process;
    process.start();
  }

  debtOf(recoveryId: string): number | null {
    const metadata = this.tables.recoveries.get(recoveryId)?.['metadata'] as { debt?: string } | undefined;
    return metadata?.debt === undefined ? null : Number(metadata.debt);
  }

  private settle(dice: Dice): void {
    const isShared = dice.chance(0.15);
    const clients = isShared ? 1 : dice.between(1, 2);
    for (let place = 0; place < clients; place++) {
      const { vault } = this.surroundings;
      this.clientIds.push(addClient(this.tables, vault, place, dice, new Date(this.timeline.nowMs)));
    }
    const shared = isShared
      ? {
          brand: dice.pick(['mastercard', 'visa']),
          last4: '4242',
          fingerprint: 'fp_shared',
          country: 'US',
          expMonth: 12,
          expYear: 2030,
        }
      : null;
    const startMs = this.timeline.nowMs;
    const plot = new Plot(this, startMs);
    for (let index = 0; index < this.plan.debts; index++) {
      // Each debt has dice of its own, so that leaving one out changes no other.
      const own = new Dice(this.plan.seed, this.plan.index, 'debt', index);
      const clientId = this.clientIds[index % this.clientIds.length] ?? '';
      const debt = new DebtMaker(own, this.faults, this.bank, shared).make(index, clientId, startMs);
      if (this.plan.without?.has(index)) continue;
      this.debts.set(index, debt);
      plot.write(debt, own);
    }
    plot.writeForAll(dice);
    for (let place = 0; place < ROLES.length; place++) this.restart(place);
  }

  private watch(): void {
    this.bank.onEntry = (entry) => {
      this.hash.add('ledger', entry.atMs, entry.outcome, entry.key ?? 'customer', entry.paymentId, entry.amountMinor);
      if (entry.outcome === 'pending') this.faults.note('gateway_charge_at_bank');
      if (entry.outcome === 'action') this.faults.note('gateway_asks_authentication');
      if (entry.outcome === 'held') this.faults.note('gateway_holds_money');
      this.gateway.onEntry(entry);
    };
    this.receivers.onReceipt = (receipt) => {
      this.hash.add('received', receipt.atMs, receipt.url, receipt.eventId, receipt.sequence);
      this.tries.onReceipt(receipt);
    };
    this.merchant.onAnswer = ({ debt, call, status, code, body }) =>
      this.hash.add('answered', this.timeline.nowMs, debt.index, call, status, code ?? '', body);
  }

  private committed(writes: readonly Write[], by: Process): void {
    this.commits.check(writes, by.owner);
    for (const { table, before, after } of writes) {
      if (table === 'recoveries') this.recoveryWritten(after as RecoveryRow);
      const opens = table === 'attempts' && before === undefined;
      if (opens && this.faults.happens('process_killed_in_charge')) this.killSoon(by, 1_000);
    }
    if (this.faults.happens('process_killed')) this.killSoon(by, 3_000);
    if (this.faults.happens('process_stopped')) by.stop(this.timeline.nowMs + this.faults.between(1_000, 45_000));
  }

  private recoveryWritten(row: RecoveryRow): void {
    this.hash.add(
      'row',
      this.timeline.nowMs,
      row.id,
      row.sequence,
      row.state,
      row.lease_token,
      row.due_at?.getTime() ?? 0,
    );
    if (row.state === 'succeeded') this.tries.onSettled(this.debtOf(row.id), this.timeline.nowMs);
  }

  private killSoon(process: Process, withinMs: number): void {
    const place = this.processes.indexOf(process);
    if (place < 0) return;
    this.timeline.plan(this.timeline.nowMs + this.faults.between(0, withinMs), () => {
      if (process.dead) return;
      process.kill();
      this.timeline.plan(this.timeline.nowMs + this.faults.between(200, 20_000), () => this.restart(place));
    });
  }

  private checkEnd(): void {
    const report = (invariant: string, debt: number | null, detail: string) =>
      void this.violations.push({ invariant, debt, atMs: this.timeline.nowMs, detail });
    const checks = new EndChecks(this.tables, this.bank, this.gateway, (id) => this.debtOf(id), report);
    checks.check(this.debts, this.merchant.answers, this.receivers.receipts);
  }
}

/** Looked up anew only after a write. */
function untilWritten(tables: Tables, look: (tables: Tables) => number): () => number {
  let version = -1;
  let known = Infinity;
  return () => {
    if (tables.journal.version !== version) [version, known] = [tables.journal.version, look(tables)];
    return known;
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 6).join(' | ') : String(error);
}
