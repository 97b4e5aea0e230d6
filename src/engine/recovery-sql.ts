import { OPEN_STATES } from '../recovery/lifecycle.js';

/** How long a claim holds without renewal; a dead worker's work is taken over after it (15 s at most). */
export const LEASE_SECONDS = 12;

export const RECOVERY_COLUMNS = `client_id id state end_reason end_detail round sequence debt_name original_resolved
  payment_object_id payment_object_kind payment_is_ours payment_return_url payment_replacements payment_to_cancel was_uncollectible
  idempotency_key reference customer_id gateway_customer_id invoice_id original_gateway_transaction_id original_failed_at
  original_signals prior_attempts amount_requested_minor amount_minor currency token_sealed token_hash card
  card_fingerprint token_reusable fallback_sealed fallback_left strategy hints customer_email_sealed policy metadata
  simulate_outcome livemode is_test round_opened_at deadline_at anchor_at scheduled_taken charges_made last_attempt_at
  attempts_opened attempt_count attempts_remaining next_trigger due_at due_kind readings_failed waiting_since last_signals advice message
  trigger recovered_at gateway_transaction_token gateways_attempted engine_applied final_event_id lease_token
  lease_owner crash_count created_at updated_at`.split(/\s+/);
export const ATTEMPT_COLUMNS = `client_id id recovery_id number round trigger strategy amount_minor currency token_hash
  card_fingerprint card_brand payment_object_id gateway_key witness outcome loss opened_at sent_at lost_at ended_at
  signals decline_code network_decline_code advice_code gateway_transaction_token scheduled`.split(/\s+/);

const FIXED = ['client_id', 'id', 'lease_token', 'created_at', 'deadline_at'];
export const MUTABLE_COLUMNS = RECOVERY_COLUMNS.filter((each) => !FIXED.includes(each));

/** The columns of one alias, as a list. */
export function columnsFrom(alias: string, columns: readonly string[]): string {
  return columns.map((each) => `${alias}.${each}`).join(', ');
}

/** True of a recovery that is not over. */
export const IS_OPEN = `state IN (${OPEN_STATES.map((each) => `'${each}'`).join(', ')})`;

const ALL = columnsFrom('r', RECOVERY_COLUMNS);
const FREE = `(r.lease_until IS NULL OR r.lease_until < clock_timestamp())`;
const TAKE = `lease_token = r.lease_token + 1, lease_owner = $1,
  lease_until = clock_timestamp() + interval '${LEASE_SECONDS} s',
  -- A lease that ran out was never handed back: its worker died or stalled with the work in hand.
  crash_count = r.crash_count + CASE WHEN r.lease_until IS NULL THEN 0 ELSE 1 END`;

const CLIENT_NOW = 'client_time($2, c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until)';
// A clock that is being walked: the walker works what falls due on it.
const NOT_WALKED = '(c.clock_frozen_until IS NULL OR c.clock_frozen_until <= $2)';
// Clients that have work in hand already, each with how much more it may take; the others may take $7.
const ALLOWED = 'unnest($5::text[], $6::int[]) AS held (client_id, allowed)';

/**
 * Claims due recoveries of all clients, the longest due first: $1 owner, $2 real now, $3 how many, $4 the kinds of work that
 * this version knows, $5–$7 how many of which client. Live clients by the due index; each test client by its own clock.
 */
export const CLAIM_DUE = `
  WITH live AS MATERIALIZED (
    SELECT r.client_id, r.id, r.due_at FROM recoveries r
    WHERE NOT r.is_test AND r.due_at <= $2 AND r.due_kind = ANY ($4) AND ${FREE}
    ORDER BY r.due_at LIMIT $3 FOR UPDATE SKIP LOCKED),
  test AS MATERIALIZED (
    SELECT due.client_id, due.id, due.due_at FROM clients c CROSS JOIN LATERAL (
      SELECT r.client_id, r.id, r.due_at FROM recoveries r
      WHERE r.client_id = c.id AND r.is_test AND r.due_at <= ${CLIENT_NOW} AND r.due_kind = ANY ($4) AND ${FREE}
      ORDER BY r.due_at LIMIT $7 FOR UPDATE SKIP LOCKED) due
    WHERE c.is_test AND ${NOT_WALKED}
    LIMIT $3),
  ranked AS (
    SELECT each.*, row_number() OVER (PARTITION BY client_id ORDER BY due_at) AS place
    FROM (SELECT * FROM live UNION ALL SELECT * FROM test) each),
  due AS (
    SELECT ranked.client_id, ranked.id FROM ranked LEFT JOIN ${ALLOWED} USING (client_id)
    WHERE place <= coalesce(held.allowed, $7) ORDER BY due_at LIMIT $3)
  UPDATE recoveries r SET ${TAKE} FROM due
  WHERE r.client_id = due.client_id AND r.id = due.id
  RETURNING ${ALL}`;

/** Clients that one fair claim looks at: some 10 µs each. */
export const CLIENTS_LOOKED_AT = 500;

/**
 * As `CLAIM_DUE`, but client by client, so that one with a million due is passed by without reading them: $8 the client that
 * the last claim looked at last. Each client in its turn gives one, then each its second. Answers also the last client
 * looked at, null after the last of all.
 */
export const CLAIM_FAIRLY = `
  WITH RECURSIVE looked_at AS (
    -- By due_at too, for the one index that holds nothing but what waits.
    (SELECT r.client_id, 1 AS nth FROM recoveries r WHERE r.due_at IS NOT NULL AND r.client_id > $8
     ORDER BY r.client_id, r.due_at LIMIT 1)
    UNION ALL
    SELECT next.client_id, l.nth + 1 FROM looked_at l CROSS JOIN LATERAL (
      SELECT r.client_id FROM recoveries r WHERE r.due_at IS NOT NULL AND r.client_id > l.client_id
      ORDER BY r.client_id, r.due_at LIMIT 1) next
    WHERE l.nth < ${CLIENTS_LOOKED_AT}),
  seen AS MATERIALIZED (SELECT count(*) AS clients, max(client_id) AS last FROM looked_at),
  free AS MATERIALIZED (
    SELECT each.* FROM seen CROSS JOIN looked_at l JOIN clients c ON c.id = l.client_id
    LEFT JOIN ${ALLOWED} ON held.client_id = l.client_id
    CROSS JOIN LATERAL (
      SELECT r.client_id, r.id, r.due_at FROM recoveries r
      WHERE r.client_id = l.client_id AND r.due_at IS NOT NULL AND r.due_kind = ANY ($4) AND ${FREE}
        AND r.due_at <= CASE WHEN c.is_test THEN ${CLIENT_NOW} ELSE $2 END AND NOT (c.is_test AND NOT ${NOT_WALKED})
      -- Of many clients a few each: what is locked here and not taken was locked in vain.
      ORDER BY r.due_at LIMIT least(coalesce(held.allowed, $7), ceil(2.0 * $3::int / seen.clients)) FOR UPDATE SKIP LOCKED) each),
  due AS (
    SELECT client_id, id FROM (
      SELECT *, row_number() OVER (PARTITION BY client_id ORDER BY due_at) AS place FROM free) ranked
    ORDER BY place, due_at LIMIT $3),
  claimed AS (
    UPDATE recoveries r SET ${TAKE} FROM due WHERE r.client_id = due.client_id AND r.id = due.id RETURNING r.*)
  SELECT ${ALL}, CASE WHEN seen.clients = ${CLIENTS_LOOKED_AT} THEN seen.last END AS last_looked_at
  FROM seen LEFT JOIN claimed r ON true`;

/** Claims what one client has due by an instant of its own clock: $1 owner, $2 client, $3 instant, $4 how many. */
export const CLAIM_DUE_OF_CLIENT = `
  WITH due AS MATERIALIZED (
    SELECT r.client_id, r.id FROM recoveries r
    WHERE r.client_id = $2 AND r.due_at <= $3 AND ${FREE}
    ORDER BY r.due_at, r.id LIMIT $4 FOR UPDATE SKIP LOCKED)
  UPDATE recoveries r SET ${TAKE} FROM due
  WHERE r.client_id = due.client_id AND r.id = due.id
  RETURNING ${ALL}`;

/** Takes one recovery if nobody holds it: $1 owner, $2 client, $3 recovery. */
export const CLAIM_ONE = `
  UPDATE recoveries r SET ${TAKE}
  WHERE r.client_id = $2 AND r.id = $3 AND ${FREE}
  RETURNING ${ALL}`;

/** Takes a recovery that waits for its customer even from under a reader: $1 owner, $2 client, $3 recovery. */
export const CLAIM_WAITING = `
  UPDATE recoveries r SET ${TAKE}
  WHERE r.client_id = $2 AND r.id = $3 AND r.state = 'action_required'
  RETURNING ${ALL}`;

/** $1 owner, $2 clients, $3 recoveries, $4 tokens. */
export const RENEW_LEASES = `
  UPDATE recoveries r SET lease_until = clock_timestamp() + interval '${LEASE_SECONDS} s'
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS held (client_id, id, lease_token)
  WHERE r.client_id = held.client_id AND r.id = held.id AND r.lease_token = held.lease_token AND r.lease_owner = $1`;

/** Hands one lease back unchanged: $1 client, $2 recovery, $3 token. */
export const RELEASE_LEASE = `
  UPDATE recoveries SET lease_owner = NULL, lease_until = NULL
  WHERE client_id = $1 AND id = $2 AND lease_token = $3`;

/** When the next recovery falls due, in real time: $1 real now, $2 the kinds known. Expired leases count as due. */
export const NEXT_DUE = `
  SELECT least(
    (SELECT min(r.due_at) FROM recoveries r WHERE r.due_at IS NOT NULL AND NOT r.is_test AND r.due_kind = ANY ($2) AND ${FREE}),
    (SELECT min(due.due_at - c.clock_offset_ms * interval '1 millisecond')
     FROM clients c CROSS JOIN LATERAL (
       SELECT r.due_at FROM recoveries r WHERE r.client_id = c.id AND r.is_test AND r.due_at IS NOT NULL AND r.due_kind = ANY ($2) AND ${FREE}
       ORDER BY r.due_at LIMIT 1) due
     WHERE c.is_test AND (c.clock_frozen_until IS NULL OR c.clock_frozen_until <= $1))) AS next_due_at`;

export const LOAD_RECOVERY = `SELECT ${ALL}, (r.lease_until > clock_timestamp()) AS is_leased FROM recoveries r WHERE r.client_id = $1 AND r.id = $2`;
// Columns by name: a prepared SELECT * fails once a later version adds one (docs/reliability.md, "Upgrade and restore").
const ATTEMPT = columnsFrom('a', ATTEMPT_COLUMNS);
export const LOAD_ATTEMPTS = `SELECT ${ATTEMPT} FROM attempts a WHERE client_id = $1 AND recovery_id = $2 ORDER BY number`;
export const LOAD_OPEN_ATTEMPT = `
  SELECT ${ATTEMPT} FROM attempts a
  WHERE client_id = $1 AND recovery_id = $2 AND (outcome IS NULL OR outcome IN ('pending', 'unknown'))`;
