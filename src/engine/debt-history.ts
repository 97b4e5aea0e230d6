import { Injectable } from '@nestjs/common';

import type { CardFacts, InvoiceFacts, PaymentFacts } from '../gateways/gateway.js';
import { Database } from '../platform/db/database.js';
import type { LimitHold } from '../recovery/network-limits.js';
import { CardLedger } from './card-ledger.js';
import {
  earlierRecoveries,
  namedEarlier,
  siblingsOf,
  type EarlierRecovery,
  type NamedEarlier,
  type Sibling,
} from './earlier-recoveries.js';
import type { Recovery } from './recovery.js';

const CARD_BEFORE = {
  name: 'card_before',
  text: `SELECT card FROM recoveries WHERE client_id = $1 AND token_hash = $2 AND id < $3
         ORDER BY created_at DESC LIMIT 1`,
};

export interface DebtBefore {
  /** With the debt's own payment, where an earlier recovery of it has made one that still fits. */
  recovery: Recovery;
  /** The invoice or original that an earlier recovery named and this one does not; null when there is none. */
  named: NamedEarlier | null;
  /** What else could collect this debt. */
  siblings: Sibling[];
  /** The card behind this token as we saw it last; null when the token is new to us. */
  card: CardFacts | null;
  /** The network's limit that holds a charge of this card back now; null when there is none. */
  hold: LimitHold | null;
}

/** What earlier recoveries know of a debt, a token or a payment. */
@Injectable()
export class DebtHistory {
  constructor(
    private readonly database: Database,
    private readonly ledger: CardLedger,
  ) {}

  /**
   * What came before this recovery, read in one flight. `now` is the client's clock.
   * @param hasObject the request has named what is to be charged: an earlier payment of the debt stands beside it then.
   */
  async before(recovery: Recovery, hasObject: boolean, now: Date): Promise<DebtBefore> {
    const { clientId, id, tokenHash } = recovery;
    const [recoveries, cards, charges] = await this.database.lookups(clientId, [
      earlierRecoveries(recovery),
      { ...CARD_BEFORE, values: [clientId, tokenHash, id] },
      this.ledger.statement(recovery),
    ]);
    const earlier = (recoveries?.rows ?? []) as EarlierRecovery[];
    const known = hasObject ? recovery : withEarlierPayment(recovery, earlier);
    const [seen] = (cards?.rows ?? []) as { card: CardFacts | null }[];
    return {
      recovery: known,
      named: namedEarlier(recovery, earlier),
      siblings: siblingsOf(known, earlier),
      card: seen?.card ?? null,
      hold: this.ledger.fromRows(charges?.rows ?? [], recovery, now),
    };
  }

  /**
   * True while another recovery holds this debt by any of its names: then the guards will refuse this one, and nothing
   * of that other one's may be touched at the gateway.
   */
  async isHeldByAnother({ clientId, id, debtName, originalResolved, paymentObjectId }: Recovery): Promise<boolean> {
    const objects = [originalResolved, paymentObjectId].filter((each) => each !== null);
    const held = `EXISTS (SELECT FROM recoveries WHERE client_id = $1 AND holds_debt AND id <> $2`;
    const { rows } = await this.database.query<{ held: boolean }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT ${held} AND debt_name = $3) OR ${held} AND original_resolved = ANY ($4))
                 OR ${held} AND payment_object_id = ANY ($4)) AS held`,
        values: [clientId, id, debtName, objects],
      },
    );
    return rows[0]?.held === true;
  }

  /** True while a newer recovery goes on with the payment object of this one. */
  async isTakenOn({ clientId, id, paymentObjectId }: Recovery): Promise<boolean> {
    const { rows } = await this.database.query<{ taken: boolean }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT EXISTS (SELECT FROM recoveries WHERE client_id = $1 AND payment_object_id = $2 AND id > $3) AS taken`,
        values: [clientId, paymentObjectId, id],
      },
    );
    return rows[0]?.taken === true;
  }

  /** True for a payment of this debt that reads as canceled because a recovery of ours has cancelled it. */
  async isCanceledByUs(recovery: Recovery, reading: PaymentFacts | InvoiceFacts): Promise<boolean> {
    if (reading.kind === 'invoice' || reading.status !== 'canceled') return false;
    const { rows } = await this.database.query<{ ours: boolean }>(
      { role: 'tenant', clientId: recovery.clientId },
      {
        text: `SELECT EXISTS (SELECT FROM recoveries
                 WHERE client_id = $1 AND debt_name = $2 AND payment_to_cancel = $3) AS ours`,
        values: [recovery.clientId, recovery.debtName, reading.id],
      },
    );
    return rows[0]?.ours === true;
  }

  /** Which of these payments belong to other debts of ours. */
  async paymentsOfOtherDebts(recovery: Recovery, paymentIds: string[]): Promise<ReadonlySet<string>> {
    if (paymentIds.length === 0) return new Set();
    const { rows } = await this.database.query<{ payment_object_id: string }>(
      { role: 'tenant', clientId: recovery.clientId },
      {
        text: `SELECT DISTINCT payment_object_id FROM recoveries
               WHERE client_id = $1 AND payment_object_id = ANY ($2) AND debt_name <> $3`,
        values: [recovery.clientId, paymentIds, recovery.debtName],
      },
    );
    return new Set(rows.map((row) => row.payment_object_id));
  }
}

/** A later recovery of a debt goes on with the debt's own payment, where amount, currency and customer are equal. */
function withEarlierPayment(recovery: Recovery, recoveries: readonly EarlierRecovery[]): Recovery {
  const earlier = recoveries.find(hasPayment);
  if (!earlier || recovery.paymentObjectId !== null) return recovery;
  const paymentId = earlier.payment_object_id;
  // Cancelled by us, or about to be: it must read so before another is made.
  if (paymentId === null) return { ...recovery, paymentToCancel: earlier.payment_to_cancel };
  const fits =
    Number(earlier.amount_minor) === recovery.amountMinor &&
    earlier.currency === recovery.currency &&
    earlier.gateway_customer_id === recovery.gatewayCustomerId;
  if (!fits) return { ...recovery, paymentToCancel: paymentId };
  return {
    ...recovery,
    paymentObjectId: paymentId,
    paymentObjectKind: 'payment',
    paymentIsOurs: earlier.payment_is_ours,
    paymentReturnUrl: earlier.payment_return_url,
  };
}

function hasPayment(row: EarlierRecovery): boolean {
  const left = row.payment_object_id === null && row.payment_to_cancel !== null;
  return left || (row.payment_object_kind === 'payment' && row.payment_object_id !== null);
}
