/** How long a claimed delivery belongs to its dispatcher: longer than a try may take, so that it needs no renewal. */
export const LEASE_MS = 15_000;

/** True of a delivery that nobody has on the wire. */
export const UNLEASED = (alias: string) => `(${alias}.lease_until IS NULL OR ${alias}.lease_until < clock_timestamp())`;

/**
 * True of a delivery whose hold has not ended on its client's clock; `client` names the client's row. Sending again is no way
 * around a hold.
 */
export const IS_HELD = (heldUntil: string, realNow: string, client: string) =>
  `coalesce(${heldUntil} > client_time(${realNow}, ${client}.clock_offset_ms, ${client}.clock_frozen_at,
    ${client}.clock_frozen_until), false)`;

const IS_STILL_HELD = IS_HELD('d.held_until', '$3::timestamptz', 'c');

/** What makes a delivery `d` of the client `c` due at $3, or at the end of its hold, with the whole schedule before it. */
export const QUEUED_ANEW = `status = CASE WHEN ${IS_STILL_HELD} THEN 'held' ELSE 'pending' END,
    next_try_at = CASE WHEN NOT ${IS_STILL_HELD} THEN $3::timestamptz END, schedule_step = 0, updated_at = $3`;

/**
 * Gives back what was claimed and not begun, to its old place: $1 real now, $2 clients, $3 deliveries, $4 lease tokens. Its
 * due time has stayed as it was, so that no index is written to.
 */
export const HAND_BACK = `
  UPDATE webhook_deliveries d SET lease_until = NULL, try_count = d.try_count - 1, updated_at = $1,
    endpoint_sequence = CASE WHEN d.try_count > 1 THEN d.endpoint_sequence END
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS held (client_id, id, lease_token)
  WHERE d.client_id = held.client_id AND d.id = held.id AND d.lease_token = held.lease_token AND d.status = 'pending'`;

/** Sets free what waited for its client's clock: $1 real now. */
export const RELEASE_HELD = `
  UPDATE webhook_deliveries d SET status = 'pending', next_try_at = $1, updated_at = $1
  FROM clients c
  WHERE d.status = 'held' AND c.id = d.client_id
    AND d.held_until <= client_time($1, c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until)`;

/** The same for one client by an instant of its own clock: $1 real now, $2 client, $3 instant. */
export const RELEASE_HELD_OF = `
  UPDATE webhook_deliveries SET status = 'pending', next_try_at = $1, updated_at = $1
  WHERE client_id = $2 AND status = 'held' AND held_until <= $3`;

/** Parks what still waits for an endpoint that takes nothing more: $1 real now, $2 client, $3 endpoint, $4 status. */
export const PARK = `
  UPDATE webhook_deliveries d SET status = $4, next_try_at = NULL, lease_until = NULL, updated_at = $1
  WHERE d.client_id = $2 AND d.endpoint_id = $3 AND d.status IN ('held', 'pending') AND ${UNLEASED('d')}`;
