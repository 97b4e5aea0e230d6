/** Every column of `recovery_events`, as `EventRow` has them; a spec holds this list to the table. */
export const EVENT_COLUMNS = `
  e.client_id AS "clientId", e.recovery_id AS "recoveryId", e.sequence::text AS sequence,
  (extract(epoch FROM e.at) * 1000000)::bigint::text AS "atMicros", e.type, e.from_state AS "fromState",
  e.to_state AS "toState", e.rule, e.inputs::text AS inputs, e.actor, e.written_in::text AS "writtenIn"`;

// Any fixed number does, as long as no other application on the same database takes it.
const CHAIN_LOCK = 7_381_202;

/** One process links at a time: `mine` says whether it is this one, until its transaction ends. */
export const LOOK_AT_PROGRESS = `
  SELECT pg_try_advisory_xact_lock(${CHAIN_LOCK}) AS mine, p.written_in, p.client_id, p.recovery_id, p.sequence, p.ran_at,
         p.written_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "fromAnotherServer"
  FROM audit_progress p`;

/**
 * The next events in the order of the transactions that wrote them, as far as no transaction that could still add one before
 * them is open: $1–$4 the last one looked at, $5 how many.
 */
export const NEXT_EVENTS = `
  SELECT ${EVENT_COLUMNS}, EXISTS (
    SELECT FROM audit_links l
    WHERE l.client_id = e.client_id AND l.recovery_id = e.recovery_id AND l.sequence = e.sequence) AS linked
  FROM recovery_events e
  WHERE (e.written_in, e.client_id, e.recovery_id, e.sequence) > ($1::bigint, $2::text, $3::text, $4::bigint)
    AND e.written_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
  ORDER BY e.written_in, e.client_id, e.recovery_id, e.sequence LIMIT $5`;

/** $1 clients. */
export const HEADS_OF = `SELECT client_id, number, hash FROM audit_heads WHERE client_id = ANY ($1)`;

/** Columns of the new links: $1 clients, $2 numbers, $3 recoveries, $4 sequences, $5 digests, $6 hashes. */
export const ADD_LINKS = `
  INSERT INTO audit_links (client_id, number, recovery_id, sequence, digest, hash)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[])`;

/** Columns of the new heads: $1 clients, $2 numbers, $3 hashes, $4 public keys, $5 signatures, $6 when they were signed. */
export const MOVE_HEADS = `
  INSERT INTO audit_heads (client_id, number, hash, public_key, signature, signed_at)
  SELECT *, $6::timestamptz FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::text[])
  ON CONFLICT (client_id) DO UPDATE SET number = excluded.number, hash = excluded.hash,
    public_key = excluded.public_key, signature = excluded.signature, signed_at = excluded.signed_at`;

/** $1–$4 the last event looked at, $5 real now. */
export const NOTE_PROGRESS = `
  UPDATE audit_progress SET written_in = $1, client_id = $2, recovery_id = $3, sequence = $4, ran_at = $5`;

/** Heads that a master key has signed which is not the current one any more: $1 the current public key. */
export const HEADS_TO_SIGN_ANEW = `SELECT client_id, number, hash FROM audit_heads WHERE public_key <> $1 LIMIT 500`;

/** A page of signed heads, the youngest client's first: $1 after this client (empty: from the first), $2 how many. */
export const PAGE_OF_HEADS = `
  SELECT client_id, number, hash, public_key, signature, signed_at FROM audit_heads
  WHERE $1 = '' OR client_id < $1 ORDER BY client_id DESC LIMIT $2`;

/** $1 client, $2 number. */
export const ONE_LINK = `SELECT hash FROM audit_links WHERE client_id = $1 AND number = $2`;

/** A page of one chain with the events as they read now: $1 client, $2 after this number, $3 up to this one, $4 how many. */
export const PAGE_OF_LINKS = `
  SELECT l.number, l.recovery_id AS link_recovery, l.sequence::text AS link_sequence, l.digest, l.hash, ${EVENT_COLUMNS}
  FROM audit_links l LEFT JOIN recovery_events e
    ON e.client_id = l.client_id AND e.recovery_id = l.recovery_id AND e.sequence = l.sequence
  WHERE l.client_id = $1 AND l.number > $2 AND l.number <= $3 ORDER BY l.number LIMIT $4`;

/** Links behind the signed head of their client, or of a client without one. */
export const LINKS_BEYOND_HEADS = `
  SELECT l.client_id, l.recovery_id, l.number, coalesce(h.number, 0) AS head FROM audit_links l
  LEFT JOIN audit_heads h ON h.client_id = l.client_id WHERE l.number > coalesce(h.number, 0)
  ORDER BY l.client_id, l.number LIMIT 1000`;

/** Events that should have a link by now and have none. */
export const EVENTS_WITHOUT_LINK = `
  SELECT e.client_id, e.recovery_id, e.sequence::text AS sequence FROM recovery_events e, audit_progress p
  WHERE (e.written_in, e.client_id, e.recovery_id, e.sequence) <= (p.written_in, p.client_id, p.recovery_id, p.sequence)
    AND NOT EXISTS (SELECT FROM audit_links l
      WHERE l.client_id = e.client_id AND l.recovery_id = e.recovery_id AND l.sequence = e.sequence)
  ORDER BY e.client_id, e.recovery_id, e.sequence LIMIT 1000`;

/** How many events wait to be linked, and when somebody last looked. */
export const PENDING = `
  SELECT (SELECT count(*)::int FROM recovery_events e
          WHERE (e.written_in, e.client_id, e.recovery_id, e.sequence) > (p.written_in, p.client_id, p.recovery_id, p.sequence)
         ) AS pending, p.ran_at
  FROM audit_progress p`;
