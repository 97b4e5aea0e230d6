import type { Clock } from '../../platform/clock.js';
import { FairShare } from '../../platform/fair-share.js';
import type { GatewayAccount } from '../gateway.js';
import { AccountGate, type GateParts } from './account-gate.js';
import type { CallLimits } from './published-limits.js';

/** Below the sockets kept per origin (http-client.ts), so that no call waits for one unseen. */
const CALLS_MAX = 500;
/** A gate is some hundred bytes; accounts beyond this are begun anew when they come again. */
const GATES_MAX = 1_000;

/** The gate of each account that has called lately, the least recently used idle one forgotten first. */
export class AccountGates {
  private readonly gates = new Map<string, AccountGate>();
  private readonly parts: GateParts;

  constructor(
    clock: Clock,
    processes: () => number,
    private readonly limitsOf: (account: GatewayAccount) => CallLimits | null,
    private readonly gatesMax = GATES_MAX,
  ) {
    const later = (delayMs: number, work: () => void) => {
      const timer = setTimeout(work, delayMs);
      return () => clearTimeout(timer);
    };
    this.parts = { nowMs: () => clock.monotonicMs(), later, processes, share: new FairShare(CALLS_MAX) };
  }

  nowMs(): number {
    return this.parts.nowMs();
  }

  of(account: GatewayAccount): AccountGate {
    const name = `${account.provider} ${account.secretKey}`;
    const gate = this.gates.get(name) ?? new AccountGate(name, this.limitsOf(account), this.parts);
    this.gates.delete(name); // Set again below: a Map keeps the order of setting, so the first is the oldest.
    this.gates.set(name, gate);
    if (this.gates.size > this.gatesMax) this.forgetOldestIdle();
    return gate;
  }

  /** How many gates are held now. */
  get size(): number {
    return this.gates.size;
  }

  /** One that is in use is kept, however old: its calls count. */
  private forgetOldestIdle(): void {
    for (const [name, gate] of this.gates) {
      if (!gate.isIdle()) continue;
      this.gates.delete(name);
      return;
    }
  }
}
