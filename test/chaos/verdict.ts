import type pg from 'pg';

import type { OwnTestGateway } from '../support/own-test-gateway.js';
import type { Acknowledged } from './load.js';
import type { Taken } from './receiver.js';

/** The three logs that must agree, when everything has come to rest. */
export interface Logs {
  rows: pg.Pool;
  gateway: OwnTestGateway;
  /** The gateway's account of each merchant. */
  accounts: ReadonlyMap<string, string>;
  acknowledged: readonly Acknowledged[];
  taken: ReadonlyMap<string, Taken>;
}

export interface Verdict {
  recoveries: number;
  collected: number;
  /** Acknowledged, and not in the database. */
  lost: string[];
  /** Debts that the gateway collected more than once. */
  double: string[];
  /** Recoveries with two final events, or none. */
  ends: string[];
  /** Whose state and the gateway's ledger say different things. */
  disagreeing: string[];
}

interface Row {
  clientId: string;
  id: string;
  state: string;
  reference: string;
}

const EVENT_OF: Readonly<Record<string, string>> = {
  succeeded: 'recovery.success',
  failed: 'recovery.failed',
  blocked: 'recovery.blocked',
};

/** Holds the gateway's ledger, the database and the receiver's log against each other. */
export async function compare({ rows, gateway, accounts, acknowledged, taken }: Logs): Promise<Verdict> {
  const stored = await rows.query<Row>('SELECT client_id AS "clientId", id, state, reference FROM recoveries');
  const successes = await successesByRecovery(gateway, accounts);
  const known = new Map(stored.rows.map((row) => [row.id, row]));
  const finals = new Map<string, string[]>();
  for (const { final, transactionId, event } of taken.values())
    if (final) finals.set(transactionId, [...(finals.get(transactionId) ?? []), event]);

  const byDebt = new Map<string, number>();
  for (const { clientId, id, reference } of stored.rows) {
    const debt = `${clientId} ${reference}`;
    byDebt.set(debt, (byDebt.get(debt) ?? 0) + (successes.get(id) ?? 0));
  }
  const strangers = [...successes.keys()].filter((id) => !known.has(id)).map((id) => `${id} is charged and not stored`);
  return {
    recoveries: stored.rows.length,
    collected: [...successes.values()].reduce((sum, count) => sum + count, 0),
    lost: acknowledged
      .filter(({ transactionId }) => !known.has(transactionId))
      .map(({ transactionId }) => transactionId),
    double: [...byDebt].filter(([, count]) => count > 1).map(([debt, count]) => `${debt}: ${count} times`),
    ends: stored.rows.flatMap(({ id, state }) => {
      const told = finals.get(id) ?? [];
      return told.length === 1 && told[0] === EVENT_OF[state] ? [] : [`${id} is ${state}, told: ${told.join(', ')}`];
    }),
    disagreeing: [
      ...strangers,
      ...stored.rows
        .filter(({ id, state }) => (state === 'succeeded') !== (successes.get(id) ?? 0) > 0)
        .map(({ id, state }) => `${id} is ${state}, collected ${successes.get(id) ?? 0} times`),
    ],
  };
}

async function successesByRecovery(
  gateway: OwnTestGateway,
  accounts: ReadonlyMap<string, string>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const account of accounts.values()) {
    const charges = await gateway.admin.ledger(account);
    for (const { status, revtainTransactionId: id } of charges)
      if (status === 'succeeded' && id) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}
