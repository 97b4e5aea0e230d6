import type { Statement } from '../../src/platform/db/database.js';
import type { Dice } from './dice.js';

/** Everything that can go wrong, or is done by somebody else, by the name that the report counts it under. */
export const FAULTS = [
  // The database.
  'db_unreachable',
  'db_cut_before_commit',
  'db_cut_after_commit',
  // Processes.
  'process_killed',
  'process_killed_in_charge',
  'process_stopped',
  // The way to the gateway, and the gateway.
  'gateway_request_lost',
  'gateway_reply_lost',
  'gateway_request_late',
  'gateway_request_repeated',
  'gateway_slow',
  'gateway_down',
  'gateway_5xx_not_executed',
  'gateway_5xx_executed',
  'gateway_5xx_executed_later',
  'gateway_rate_limited',
  'gateway_key_in_use',
  'gateway_refuses_account',
  'gateway_status_unmapped',
  'gateway_cancels_payment',
  'gateway_charge_at_bank',
  'gateway_asks_authentication',
  'gateway_holds_money',
  // The customer, and the merchant at the gateway's own pages.
  'customer_pays',
  'merchant_cancels_payment',
  'merchant_voids_invoice',
  'merchant_lowers_invoice',
  'merchant_raises_invoice',
  'merchant_refunds',
  // The merchant's calls.
  'call_repeated_at_once',
  'call_repeated_later',
  'call_same_key_other_body',
  'call_second_key',
  'call_cancel',
  'call_retry',
  'call_payment_method',
  'call_resolve',
  // Receivers of webhooks.
  'receiver_answers_5xx',
  'receiver_asks_for_patience',
  'receiver_out_of_reach',
  'receiver_took_it_silently',
  'receiver_slow',
  'receiver_gone',
] as const;
export type FaultName = (typeof FAULTS)[number];

export type Weather = Readonly<Partial<Record<FaultName, number>>>;

/** Decides by the seed what goes wrong, and counts it. A fault that is switched off draws all the same, so that nothing else changes. */
export class Faults {
  readonly fired = new Map<FaultName, number>();
  /** From then on everything works, so that all that is open can come to its end. */
  calmFromMs = Infinity;

  constructor(
    private readonly dice: Dice,
    private readonly weather: Weather,
    private readonly off: ReadonlySet<FaultName>,
    private readonly nowMs: () => number,
  ) {}

  happens(name: FaultName): boolean {
    const rate = this.weather[name] ?? 0;
    if (rate === 0 || !this.dice.chance(rate) || this.off.has(name) || this.nowMs() >= this.calmFromMs) return false;
    this.note(name);
    return true;
  }

  /** For what came about by itself. */
  note(name: FaultName): void {
    this.fired.set(name, (this.fired.get(name) ?? 0) + 1);
  }

  isOff(name: FaultName): boolean {
    return this.off.has(name);
  }

  latencyMs(): number {
    return Math.max(0, this.dice.between(-8, 4));
  }

  between(least: number, most: number): number {
    return this.dice.between(least, most);
  }

  /** One draw decides for a flight, for there are many. */
  ofFlight(_statements: readonly Statement[]): 'none' | 'unreachable' | 'cut_before' | 'cut_after' {
    if (this.happens('db_unreachable')) return 'unreachable';
    if (this.happens('db_cut_before_commit')) return 'cut_before';
    return this.happens('db_cut_after_commit') ? 'cut_after' : 'none';
  }
}
