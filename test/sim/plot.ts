import type { ExecuteRequest } from '../../src/execute/execute-request.js';
import type { CancelReason } from '../../src/recoveries/steering.dto.js';
import { DebtMaker, type Debt } from './debts.js';
import type { Dice } from './dice.js';
import type { FaultName } from './faults.js';
import type { Payment } from './gateway/objects.js';
import type { RecoveryRow } from './memory/rows.js';
import type { World } from './world.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What people do: the merchant's calls, the customer's own payment, and what happens to an invoice meanwhile. */
export class Plot {
  constructor(
    private readonly world: World,
    private readonly startMs: number,
  ) {}

  /** Everything that will befall one debt, drawn from its own dice. */
  write(debt: Debt, dice: Dice): void {
    const firstMs = this.startMs + dice.between(0, 2 * 24 * 60) * MINUTE_MS + dice.between(0, 59_999);
    const key = this.keyOf(debt, dice, 'first');
    this.at(firstMs, () => this.world.merchant.execute(debt, debt.request, key));
    if (key !== null) this.repeats(debt, dice, key, firstMs);
    this.secondKeys(debt, dice, firstMs);
    this.steering(debt, dice, firstMs);
    this.outside(debt, dice, firstMs);
  }

  /** What befalls a whole account or endpoint. */
  writeForAll(dice: Dice): void {
    const { world } = this;
    for (const clientId of world.clientIds) {
      if (!dice.chance(0.15)) continue;
      const fromMs = this.startMs + dice.between(0, 20 * 24) * HOUR_MS;
      const untilMs = fromMs + dice.between(1, 90) * MINUTE_MS;
      this.at(fromMs, () => {
        if (!world.faults.isOff('gateway_refuses_account'))
          world.surroundings.house.refusedUntilMs.set(clientId, untilMs);
      });
    }
    if (dice.chance(0.2)) {
      const fromMs = this.startMs + dice.between(0, 10 * 24) * HOUR_MS;
      const untilMs = fromMs + dice.between(1, 40) * HOUR_MS;
      this.at(fromMs, () => (world.surroundings.house.wire.downUntilMs = untilMs));
    }
    for (const { url } of world.tables.endpoints.all()) {
      if (!dice.chance(0.1)) continue;
      const fromMs = this.startMs + dice.between(0, 20 * 24) * HOUR_MS;
      this.at(fromMs, () => world.receivers.takeDown(url, fromMs + dice.between(1, 7 * 24) * HOUR_MS));
    }
  }

  /** Drawn from the debt's own dice, so that leaving out another debt changes nothing. */
  private does(name: FaultName, dice: Dice, share: number): boolean {
    if (!dice.chance(share) || this.world.faults.isOff(name)) return false;
    this.world.faults.note(name);
    return true;
  }

  private at(atMs: number, run: () => void): void {
    this.world.timeline.plan(atMs, run);
  }

  private keyOf({ index, request, invoice }: Debt, dice: Dice, name: string): string | null {
    const isNamed = request.reference !== undefined || invoice !== null;
    return isNamed && dice.chance(0.2) ? null : `key_${index}_${name}`;
  }

  private repeats(debt: Debt, dice: Dice, key: string, firstMs: number): void {
    const { merchant } = this.world;
    if (this.does('call_repeated_at_once', dice, 0.15)) {
      for (let copies = dice.between(1, 3); copies > 0; copies--) {
        this.at(firstMs + dice.between(0, 40), () => merchant.execute(debt, debt.request, key));
      }
    }
    if (this.does('call_repeated_later', dice, 0.15)) {
      this.at(firstMs + dice.between(1, 40 * 24 * 60) * MINUTE_MS, () => merchant.execute(debt, debt.request, key));
    }
    if (this.does('call_same_key_other_body', dice, 0.05)) {
      const other: ExecuteRequest = { ...debt.request, metadata: { debt: String(debt.index), other: 'yes' } };
      this.at(firstMs + dice.between(0, 2_000), () => merchant.execute(debt, other, key));
    }
  }

  /** The debt is sent again under another key: at once, or after its end and with another card. */
  private secondKeys(debt: Debt, dice: Dice, firstMs: number): void {
    const { merchant } = this.world;
    if (debt.request.reference === undefined && !debt.invoice && !debt.original) return;
    if (!this.does('call_second_key', dice, 0.3)) return;
    const atOnce = dice.chance(0.4);
    const atMs = firstMs + (atOnce ? dice.between(0, 3_000) : dice.between(10, 40 * 24 * 60) * MINUTE_MS);
    const token = dice.chance(0.6) ? this.newCard(debt, dice, 'second') : debt.request.paymentMethodToken;
    const request: ExecuteRequest = { ...debt.request, paymentMethodToken: token, policy: {} };
    const key = this.keyOf(debt, dice, 'second');
    this.at(atMs, () => merchant.execute(debt, request, key));
  }

  private newCard(debt: Debt, dice: Dice, name: string): string {
    return new DebtMaker(dice, this.world.faults, this.world.bank, null).anotherMethod(debt, name).token;
  }

  private steering(debt: Debt, dice: Dice, firstMs: number): void {
    const { merchant } = this.world;
    const soon = () =>
      firstMs + (dice.chance(0.4) ? dice.between(0, 120_000) : dice.between(0, 30 * 24 * 60) * MINUTE_MS);
    const steer = (
      name: Parameters<typeof merchant.steer>[1],
      run: (id: string, ...rest: Parameters<Parameters<typeof merchant.steer>[2]>) => Promise<object>,
    ) =>
      this.at(soon(), () => {
        const newest = this.newest(debt);
        if (newest) merchant.steer(debt, name, (...rest) => run(newest.id, ...rest));
      });
    if (this.does('call_cancel', dice, 0.08)) {
      const reason = dice.pick<CancelReason>(['abandoned', 'customer_request', 'paid_elsewhere']);
      steer('cancel', (id, process, caller) => process.ending.cancel(caller, id, reason));
    }
    if (this.does('call_retry', dice, 0.1)) {
      steer('retry', async (id, process, caller) => bodyOf(await process.steering.retry(caller, id, () => null)));
    }
    if (this.does('call_payment_method', dice, 0.12)) {
      const token = dice.chance(0.8) ? this.newCard(debt, dice, 'given') : debt.request.paymentMethodToken;
      steer('payment-method', async (id, process, caller) =>
        bodyOf(await process.steering.payWith(caller, id, token, () => null)),
      );
    }
    if (this.does('call_resolve', dice, 0.03)) {
      const outcome = dice.pick(['succeeded', 'not_executed'] as const);
      steer('resolve', (id, process, caller) => {
        const evidence = { gatewayId: this.payable(debt)?.id ?? 'pi_unknown', note: 'seen in the dashboard' };
        return process.ending.resolve(caller, id, outcome, evidence);
      });
    }
  }

  /** What the customer and the merchant do at the gateway, past us. */
  private outside(debt: Debt, dice: Dice, firstMs: number): void {
    const { faults, bank } = this.world;
    const later = () =>
      firstMs + (dice.chance(0.3) ? dice.between(0, 60_000) : dice.between(0, 25 * 24 * 60) * MINUTE_MS);
    const toPayment = (atMs: number, run: (payment: Payment) => boolean, note: Parameters<typeof faults.note>[0]) =>
      this.at(atMs, () => {
        const payment = this.payable(debt);
        if (payment && run(payment)) faults.note(note);
      });
    if (dice.chance(0.12) && !faults.isOff('customer_pays')) {
      toPayment(later(), (payment) => bank.payByCustomer(payment), 'customer_pays');
    }
    if (dice.chance(0.04) && !faults.isOff('gateway_cancels_payment')) {
      const reason = dice.pick(['automatic', 'expired']);
      toPayment(
        later(),
        (payment) => payment.invoiceId === null && bank.cancel(payment, reason),
        'gateway_cancels_payment',
      );
    }
    if (dice.chance(0.03) && !faults.isOff('merchant_cancels_payment')) {
      const cancel = (payment: Payment) => payment.invoiceId === null && bank.cancel(payment, 'requested_by_customer');
      toPayment(later(), cancel, 'merchant_cancels_payment');
    }
    if (dice.chance(0.05) && !faults.isOff('merchant_refunds')) {
      toPayment(later() + DAY_MS, (payment) => refund(payment), 'merchant_refunds');
    }
    this.invoice(debt, dice, later);
  }

  private invoice({ invoice }: Debt, dice: Dice, later: () => number): void {
    const { faults } = this.world;
    if (!invoice) return;
    const change = (share: number, name: Parameters<typeof faults.note>[0], run: () => void) => {
      if (!dice.chance(share) || faults.isOff(name)) return;
      this.at(later(), () => {
        if (invoice.status !== 'open') return;
        run();
        faults.note(name);
      });
    };
    change(0.08, 'merchant_voids_invoice', () => (invoice.status = dice.pick(['void', 'uncollectible'] as const)));
    change(0.08, 'merchant_lowers_invoice', () => (invoice.remainingMinor -= 100));
    change(0.05, 'merchant_raises_invoice', () => {
      invoice.remainingMinor += 100;
      invoice.raisedAtMs = this.world.timeline.nowMs;
    });
  }

  private newest({ index }: Debt): RecoveryRow | null {
    const own = this.world.tables.recoveries.where((row) => this.world.debtOf(row.id) === index);
    return own.sort((a, b) => (a.id < b.id ? -1 : 1)).at(-1) ?? null;
  }

  /** What the customer could pay now, as the merchant's own pages show it. */
  private payable(debt: Debt): Payment | null {
    const { bank } = this.world;
    if (debt.invoice) return debt.invoice.payment;
    const charged = this.newest(debt)?.payment_object_id ?? null;
    return charged === null ? debt.original : (bank.payments.get(charged) ?? null);
  }
}

function refund(payment: Payment): boolean {
  if (payment.status !== 'succeeded' || !payment.charge) return false;
  payment.charge.refunded = true;
  return true;
}

function bodyOf({ body }: { body: Buffer }): object {
  return JSON.parse(body.toString()) as object;
}
