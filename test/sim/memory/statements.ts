import type { Statement } from '../../../src/platform/db/database.js';
import * as claims from './claims.js';
import * as clients from './clients.js';
import * as deliveries from './deliveries.js';
import { look } from './guards.js';
import * as keys from './keys.js';
import * as lookups from './lookups.js';
import type { Row } from './rows.js';
import { accept, save, saveAll } from './save.js';
import { followFailures, settle } from './settle.js';
import type { Tables } from './tables.js';

/** What a statement does to the tables, and the rows that it answers. */
export type Meaning = (tables: Tables, values: readonly unknown[], name: string) => Row[];

const BY_NAME: Readonly<Record<string, Meaning>> = {
  claim_due: claims.claimDue,
  claim_due_of_client: claims.claimDueOfClient,
  claim_fairly: claims.claimFairly,
  claim_one: claims.claimOne,
  claim_waiting: claims.claimWaiting,
  renew_leases: claims.renew,
  release_lease: claims.release,
  next_due: claims.nextDue,
  load_recovery: lookups.loadRecovery,
  load_attempts: lookups.loadAttempts,
  load_open_attempt: lookups.loadOpenAttempt,
  open_of_customer: lookups.openOfCustomer,
  holder_of_debt: lookups.holderOfDebt,
  debt_held_by_another: lookups.isHeldByAnother,
  object_taken_on: lookups.isTakenOn,
  payment_taken_on: lookups.isTakenOn,
  cancelled_by_us: lookups.isCanceledByUs,
  payments_of_other_debts: lookups.paymentsOfOtherDebts,
  card_seen_tenant: lookups.cardSeen,
  card_seen_worker: lookups.cardSeen,
  card_before: lookups.cardBefore,
  card_stop: lookups.cardStop,
  earlier_recoveries: lookups.earlier,
  execute_guards: look,
  look_key: keys.look,
  finished_key: keys.finished,
  answer_key: keys.answerLater,
  find_client: clients.findClient,
  probe_pause: clients.takeProbe,
  read_pause: clients.probeAt,
  begin_pause: clients.beginPause,
  end_pause: clients.endPause,
  claim_deliveries: deliveries.claim,
  hand_back: deliveries.handBack,
  release_held: deliveries.releaseHeld,
  next_delivery_due: deliveries.nextDelivery,
  settle_deliveries: settle,
  follow_failures: followFailures,
};

/** @throws for a statement that has none here: the product has one more, and the store must learn it. */
export function meaningOf({ name, text }: Statement): Meaning {
  const meaning = BY_NAME[name ?? ''];
  if (meaning) return meaning;
  if (name?.startsWith('save_all')) return saveAll;
  if (name?.startsWith('save')) return save;
  if (name?.startsWith('accept')) return accept;
  throw new Error(`the in-memory store knows no meaning of: ${name ?? text}`);
}

/** The names of the locks that a statement takes until its transaction ends; none for most. */
export function locksOf({ name, values }: Statement): string[] {
  if (name === 'card_locks') return (values?.[0] as string[]).map((card) => `card_lock:${card}`);
  return name === 'velocity_lock' || name === 'card_lock' ? [`${name}:${String(values?.[0])}`] : [];
}
