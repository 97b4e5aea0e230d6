import type { Statement } from '../../../src/platform/db/database.js';
import * as claims from './claims.js';
import * as clients from './clients.js';
import * as deliveries from './deliveries.js';
import { look } from './guards.js';
import * as keys from './keys.js';
import * as lookups from './lookups.js';
import type { Row } from './rows.js';
import { accept, save } from './save.js';
import { followFailures, settle } from './settle.js';
import type { Tables } from './tables.js';

/** What a statement does to the tables, and the rows that it answers. */
export type Meaning = (tables: Tables, values: readonly unknown[], name: string) => Row[];

const BY_NAME: Readonly<Record<string, Meaning>> = {
  claim_due: claims.claimDue,
  claim_due_of_client: claims.claimDueOfClient,
  claim_one: claims.claimOne,
  renew_leases: claims.renew,
  release_lease: claims.release,
  next_due: claims.nextDue,
  load_recovery: lookups.loadRecovery,
  load_attempts: lookups.loadAttempts,
  load_open_attempt: lookups.loadOpenAttempt,
  open_of_customer: lookups.openOfCustomer,
  card_seen_tenant: lookups.cardSeen,
  card_seen_worker: lookups.cardSeen,
  card_before: lookups.cardBefore,
  card_stop: lookups.cardStop,
  earlier_recoveries: lookups.earlier,
  execute_guards: look,
  look_key: keys.look,
  find_client: clients.findClient,
  claim_deliveries: deliveries.claim,
  hand_back: deliveries.handBack,
  release_held: deliveries.releaseHeld,
  next_delivery_due: deliveries.nextDelivery,
  settle_deliveries: settle,
  follow_failures: followFailures,
};

/** Statements without a name, told by words that only they have; the first that fits counts. */
const BY_WORDS: readonly (readonly [words: string, meaning: Meaning])[] = [
  ["state = 'action_required'\n  RETURNING", claims.claimWaiting],
  ['SELECT id, state FROM recoveries', lookups.holderOfDebt],
  ['AS held', lookups.isHeldByAnother],
  ['AS taken', lookups.isTakenOn],
  ['AS ours', lookups.isCanceledByUs],
  ['SELECT DISTINCT payment_object_id', lookups.paymentsOfOtherDebts],
  ['SELECT fingerprint, recovery_id, status_code, body', keys.finished],
  ['SET status_code = coalesce', keys.answerLater],
  ['SET charging_probe_at = $2', clients.takeProbe],
  ['SELECT charging_probe_at', clients.probeAt],
  ['coalesce(charging_paused_since, $2)', clients.beginPause],
  ['SET charging_paused_since = NULL', clients.endPause],
];

const unnamed = new Map<string, Meaning>();

/** @throws for a statement that has none here: the product has one more, and the store must learn it. */
export function meaningOf({ name, text }: Statement): Meaning {
  if (name !== undefined) {
    const meaning = BY_NAME[name];
    if (meaning) return meaning;
    if (name.startsWith('save')) return save;
    if (name.startsWith('accept')) return accept;
  }
  const known = unnamed.get(text);
  if (known) return known;
  const found = BY_WORDS.find(([words]) => text.includes(words));
  if (!found) throw new Error(`the in-memory store knows no meaning of: ${name ?? text}`);
  unnamed.set(text, found[1]);
  return found[1];
}

/** The name of the lock that a statement takes until its transaction ends; null for any other statement. */
export function lockOf({ name, values }: Statement): string | null {
  return name === 'velocity_lock' || name === 'card_lock' ? `${name}:${String(values?.[0])}` : null;
}
