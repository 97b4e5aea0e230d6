import type { Database } from './platform/db/database.js';
import { FAILPOINT_ACTIONS, type FailpointRule, Failpoints, THIS_PROCESS } from './platform/failpoints/failpoints.js';
import type { Log } from './platform/logging/log.js';
import { StartRefused } from './platform/start-refused.js';

/**
 * Every failpoint of the path that money takes. Each stands around one thing that can be seen from outside: a flight to
 * the database (called by its last statement, a write by the last step that it takes), a call of the gateway, a webhook.
 * What happens between two of them is this process's own, so that to die there is to die at one of them.
 */
export const FAILPOINTS: readonly string[] = [
  'database.accept:accepted',
  'database.accept:authentication_required',
  'database.accept:blocked',
  'database.accept:cancelled',
  'database.accept:failed',
  'database.accept:held_out',
  'database.accept:reading_failed',
  'database.accept:recovered',
  'database.accept:retry_scheduled',
  'database.answer_key',
  'database.begin_key',
  'database.begin_pause',
  'database.cancelled_by_us',
  'database.card_seen_tenant',
  'database.card_seen_worker',
  'database.card_stop',
  'database.claim_deliveries',
  'database.claim_due',
  'database.claim_due_of_client',
  'database.claim_one',
  'database.claim_waiting',
  'database.commit',
  'database.debt_held_by_another',
  'database.end_pause',
  'database.execute_guards',
  'database.find_client',
  'database.finished_key',
  'database.follow_failures',
  'database.forget_key',
  'database.forget_rate_windows',
  'database.hand_back',
  'database.holder_of_debt',
  'database.load_attempts',
  'database.load_open_attempt',
  'database.load_recovery',
  'database.look_key',
  'database.newest_of_customer',
  'database.newest_of_object',
  'database.newest_of_token',
  'database.next_delivery_due',
  'database.next_due',
  'database.note_seen_charge',
  'database.object_taken_on',
  'database.open_of_customer',
  'database.open_on_token',
  'database.payment_taken_on',
  'database.payments_of_other_debts',
  'database.probe_pause',
  'database.read_pause',
  'database.release_held',
  'database.release_held_of',
  'database.release_lease',
  'database.renew_leases',
  'database.rollback',
  'database.save:attempt_declined',
  'database.save:authentication_required',
  'database.save:awaiting_bank',
  'database.save:blocked',
  'database.save:cancelled',
  'database.save:charge_opened',
  'database.save:charge_resent',
  'database.save:declined_elsewhere',
  'database.save:failed',
  'database.save:fallback_chosen',
  'database.save:looked',
  'database.save:outcome_unknown',
  'database.save:parked',
  'database.save:payment_replaced',
  'database.save:platform_goes_first',
  'database.save:quietly',
  'database.save:reading_failed',
  'database.save:recovered',
  'database.save:retry_asked',
  'database.save:retry_scheduled',
  'database.save:round_opened',
  'database.settle_deliveries',
  'database.take_executes',
  'database.take_over_key',
  'gateway.readPaymentMethod',
  'gateway.readOriginal',
  'gateway.readInvoice',
  'gateway.readPayment',
  'gateway.createPayment',
  'gateway.charge',
  'gateway.cancelPayment',
  'gateway.listPayments',
  'webhook.send',
];

const RULE = /^(?<name>[\w.:]+)(?:#(?<nth>\d{1,4}))?(?:@(?<client>cli_[0-9A-Z]{26}))?=(?<action>\w+)$/;

/** Reads REVTAIN_FAILPOINTS; null when nothing is armed, as in service. @throws {StartRefused} for what it does not know. */
export function readFailpoints(text: string | null, log: Log): Failpoints | null {
  if (text === null) return null;
  const rules = text === 'trace' ? [] : text.split(',').map((part) => readRule(part.trim()));
  log.warn('failpoints.armed', { count: rules.length });
  return new Failpoints(rules, log, THIS_PROCESS);
}

function readRule(text: string): FailpointRule {
  const { name = '', nth, client, action } = RULE.exec(text)?.groups ?? {};
  if (!FAILPOINTS.includes(name)) throw new StartRefused(`REVTAIN_FAILPOINTS: there is no failpoint ${name || text}`);
  const known = FAILPOINT_ACTIONS.find((each) => each === action);
  if (!known) throw new StartRefused(`REVTAIN_FAILPOINTS: ${name} knows ${FAILPOINT_ACTIONS.join(', ')}`);
  return { name, nth: Number(nth ?? 1), clientId: client ?? null, action: known };
}

/** A drill kills charges on the wire: never where real cards are charged. @throws {StartRefused} */
export async function refuseBesideLiveClients(database: Database): Promise<void> {
  const { rows } = await database.query({ role: 'worker' }, { text: 'SELECT FROM clients WHERE livemode LIMIT 1' });
  if (rows.length > 0) throw new StartRefused('REVTAIN_FAILPOINTS is refused on a database that has a live client');
}
