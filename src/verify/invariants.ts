import { moveBetween } from '../recovery/lifecycle.js';
import { STATES } from '../recovery/facts.js';

/** Something that must hold of the stored rows at any moment, whatever was killed or cut on the way. */
export interface Invariant {
  /** Stable: operators alert on it. */
  name: string;
  meaning: string;
  /** Selects the rows that break it as `client_id`, `id` (of the recovery) and `detail`. */
  sql: string;
}

const OPEN_ATTEMPT = `(a.outcome IS NULL OR a.outcome IN ('pending', 'unknown'))`;

/** Moves from one state to another that the lifecycle does not know. */
const ILLEGAL_MOVES = STATES.flatMap((from) =>
  STATES.filter((to) => from !== to && moveBetween(from, to) === null).map((to) => `('${from}', '${to}')`),
).join(', ');

/** A delivery that is not tried for so long is held up by nothing but a fault: the longest wait of the schedule is a day. */
const FORGOTTEN_AFTER = '25 hours';

/** The steps that end a round or a recovery; each is told by an event of the same number. */
const TOLD_STEPS = `('recovered', 'failed', 'blocked', 'cancelled', 'held_out')`;

export const INVARIANTS: readonly Invariant[] = [
  {
    name: 'one_key_per_attempt',
    meaning: 'every charge has a gateway key of its own, made of its recovery and attempt',
    sql: `SELECT a.client_id, a.recovery_id AS id, a.id || ' has the key ' || a.gateway_key AS detail FROM attempts a
          WHERE a.gateway_key <> a.recovery_id || ':' || a.id`,
  },
  {
    name: 'one_success_per_payment',
    meaning: 'no payment object, and so no debt, was collected by two attempts',
    sql: `SELECT a.client_id, min(a.recovery_id) AS id, a.payment_object_id || ': ' || count(*) || ' successes' AS detail
          FROM attempts a WHERE a.outcome = 'succeeded' GROUP BY a.client_id, a.payment_object_id HAVING count(*) > 1`,
  },
  {
    name: 'one_success_per_debt',
    meaning: 'no debt has two recoveries that succeeded',
    sql: `SELECT r.client_id, min(r.id) AS id, r.debt_name || ': ' || count(*) || ' successes' AS detail
          FROM recoveries r WHERE r.state = 'succeeded' GROUP BY r.client_id, r.debt_name HAVING count(*) > 1`,
  },
  {
    name: 'paid_debt_is_held',
    meaning: 'a debt that an attempt has collected can not be charged again: a recovery of it holds it',
    sql: `SELECT a.client_id, a.recovery_id AS id, a.id || ' collected ' || r.debt_name || ', which nobody holds' AS detail
          FROM attempts a JOIN recoveries r ON r.client_id = a.client_id AND r.id = a.recovery_id
          WHERE a.outcome = 'succeeded' AND NOT EXISTS (
            SELECT FROM recoveries h WHERE h.client_id = r.client_id AND h.holds_debt
              AND (h.debt_name = r.debt_name OR h.payment_object_id = a.payment_object_id))`,
  },
  {
    name: 'charged_as_asked',
    meaning: 'every charge is of the currency asked for, and of no more than was asked for',
    sql: `SELECT a.client_id, a.recovery_id AS id, a.id || ' charged ' || a.amount_minor || ' ' || a.currency AS detail
          FROM attempts a JOIN recoveries r ON r.client_id = a.client_id AND r.id = a.recovery_id
          WHERE a.currency <> r.currency OR a.amount_minor > r.amount_requested_minor`,
  },
  {
    // Keys are forgotten 90 days after their recovery has ended, and may come again then.
    name: 'one_recovery_per_key',
    meaning: 'no idempotency key has accepted two recoveries while it was kept',
    sql: `SELECT client_id, id, 'a second recovery under the key of ' || earlier AS detail
          FROM (SELECT r.client_id, r.id, r.created_at, lag(r.id) OVER same AS earlier, lag(r.updated_at) OVER same AS ended
                FROM recoveries r WHERE r.idempotency_key IS NOT NULL
                WINDOW same AS (PARTITION BY r.client_id, r.idempotency_key ORDER BY r.created_at, r.id)) keyed
          WHERE created_at < ended + interval '90 days'`,
  },
  {
    name: 'one_final_event_per_round',
    meaning: 'a round ends with one final event, and a late success may follow once',
    sql: `SELECT e.client_id, e.recovery_id AS id, count(*) || ' final events in ' || max(r.round) || ' rounds' AS detail
          FROM webhook_events e JOIN recoveries r ON r.client_id = e.client_id AND r.id = e.recovery_id
          WHERE e.final GROUP BY e.client_id, e.recovery_id
          HAVING count(*) > max(r.round) + count(*) FILTER (WHERE e.type = 'recovery.success')
            OR count(*) FILTER (WHERE e.type = 'recovery.failed') > max(r.round)`,
  },
  {
    name: 'success_is_the_last_word',
    meaning: 'no final event follows the one that tells of the money',
    sql: `SELECT e.client_id, e.recovery_id AS id, e.type || ', step ' || e.sequence || ', comes after the success' AS detail
          FROM webhook_events e JOIN webhook_events s
            ON s.client_id = e.client_id AND s.recovery_id = e.recovery_id AND s.type = 'recovery.success'
          WHERE e.final AND e.sequence > s.sequence`,
  },
  {
    name: 'one_charge_at_a_time',
    meaning: 'no attempt was begun before the outcome of the one before it was known',
    sql: `SELECT client_id, recovery_id AS id, 'attempt ' || number || ' began before ' || (number - 1) || ' had ended' AS detail
          FROM (SELECT a.*, lag(a.number) OVER told AS before, lag(a.ended_at) OVER told AS ended_before FROM attempts a
                WINDOW told AS (PARTITION BY a.client_id, a.recovery_id ORDER BY a.number)) each
          WHERE before IS NOT NULL AND (ended_before IS NULL OR opened_at < ended_before)`,
  },
  {
    name: 'unknown_is_being_looked_up',
    meaning: 'a charge on the wire, lost or at the bank has its open attempt and a next look',
    sql: `SELECT r.client_id, r.id, r.state || ' without an open attempt, or without a look' AS detail FROM recoveries r
          WHERE r.state IN ('in_progress', 'reconciling') AND r.simulate_outcome IS NULL
            AND (r.due_kind IS DISTINCT FROM 'settle' OR NOT EXISTS (
              SELECT FROM attempts a WHERE a.client_id = r.client_id AND a.recovery_id = r.id AND ${OPEN_ATTEMPT}))`,
  },
  {
    name: 'no_attempt_is_forgotten',
    meaning: 'an attempt whose outcome is open belongs to a recovery that will read it',
    sql: `SELECT a.client_id, a.recovery_id AS id, a.id || ' is open, the recovery is ' || r.state AS detail
          FROM attempts a JOIN recoveries r ON r.client_id = a.client_id AND r.id = a.recovery_id
          WHERE ${OPEN_ATTEMPT} AND r.due_kind IS DISTINCT FROM 'settle'`,
  },
  {
    name: 'every_end_is_told',
    meaning: 'each step that ends a recovery has its event, and each event its step',
    // Of a recovery that ended long ago the events may have been swept, all of them at once: never before seven days.
    sql: `SELECT t.client_id, t.recovery_id AS id, t.type || ', step ' || t.sequence || ', has no event' AS detail
          FROM recovery_events t JOIN recoveries r ON r.client_id = t.client_id AND r.id = t.recovery_id
          WHERE t.type IN ${TOLD_STEPS} AND NOT EXISTS (
            SELECT FROM webhook_events e
            WHERE e.client_id = t.client_id AND e.recovery_id = t.recovery_id AND e.sequence = t.sequence)
          AND (r.updated_at > clock_timestamp() - interval '7 days' OR EXISTS (
            SELECT FROM webhook_events e WHERE e.client_id = t.client_id AND e.recovery_id = t.recovery_id))
          UNION ALL
          SELECT e.client_id, e.recovery_id, e.id || ' tells no step' FROM webhook_events e
          WHERE e.recovery_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM recovery_events t
            WHERE t.client_id = e.client_id AND t.recovery_id = e.recovery_id AND t.sequence = e.sequence)`,
  },
  {
    name: 'no_delivery_is_forgotten',
    meaning: 'what waits to be delivered to an endpoint that is on is tried within a day',
    sql: `SELECT d.client_id, d.recovery_id AS id, d.id || ' was to be tried at ' || d.next_try_at AS detail
          FROM webhook_deliveries d JOIN webhook_endpoints p ON p.client_id = d.client_id AND p.id = d.endpoint_id
          WHERE d.status = 'pending' AND p.enabled AND p.deleted_at IS NULL
            AND d.next_try_at < clock_timestamp() - interval '${FORGOTTEN_AFTER}'
            AND NOT EXISTS (
              SELECT FROM webhook_deliveries b WHERE b.client_id = d.client_id AND b.endpoint_id = d.endpoint_id
                AND b.recovery_id = d.recovery_id AND b.event_sequence < d.event_sequence AND b.status IN ('held', 'pending'))`,
  },
  {
    name: 'timeline_is_whole',
    meaning: "the timeline has every step from 1 to the recovery's own number, and ends in its state",
    sql: `SELECT r.client_id, r.id, 'the row is at ' || r.sequence || ', the timeline at ' || coalesce(t.last, 0) AS detail
          FROM recoveries r LEFT JOIN (
            SELECT client_id, recovery_id, count(*) AS steps, max(sequence) AS last,
                   (array_agg(to_state ORDER BY sequence DESC))[1] AS state
            FROM recovery_events GROUP BY client_id, recovery_id) t
          ON t.client_id = r.client_id AND t.recovery_id = r.id
          WHERE t.steps IS DISTINCT FROM r.sequence OR t.last IS DISTINCT FROM r.sequence OR t.state IS DISTINCT FROM r.state`,
  },
  {
    name: 'timeline_is_a_chain',
    meaning: 'each step begins in the state that the one before it ended in',
    sql: `SELECT client_id, recovery_id AS id, 'step ' || sequence || ' begins in ' || coalesce(from_state, 'none') AS detail
          FROM (SELECT t.*, lag(to_state) OVER (PARTITION BY client_id, recovery_id ORDER BY sequence) AS before
                FROM recovery_events t) chained
          WHERE from_state IS DISTINCT FROM before`,
  },
  {
    name: 'timeline_is_legal',
    meaning: 'each step is one that the lifecycle knows',
    sql: `SELECT t.client_id, t.recovery_id AS id, 'step ' || t.sequence || ' goes from ' || t.from_state || ' to ' || t.to_state AS detail
          FROM recovery_events t WHERE (t.from_state, t.to_state) IN (${ILLEGAL_MOVES})`,
  },
];
