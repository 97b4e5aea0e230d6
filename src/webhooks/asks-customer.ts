/**
 * SQL that is true for an event by which a merchant writes to a customer: once the debt is settled it is untrue, and who
 * acts on it would dun somebody who has paid. `alias` names a row of `webhook_events`. `recovery.blocked` is not among
 * them (docs/behaviour.md 6): what it says of the card stays true, and a payment follows it as `recovery.success`.
 */
export function asksCustomer(alias: string): string {
  return `${alias}.type IN ('recovery.failed', 'dunning.step_due')`;
}

/**
 * SQL that is true for an event that became untrue before an endpoint had received it. `event` names a row of
 * `webhook_events`, `delivery` that of its delivery to the endpoint, null where there is none.
 */
export function isUntrue(event: string, delivery: string): string {
  return `(${asksCustomer(event)} AND ${delivery}.delivered_at IS NULL
    AND debt_is_settled(${event}.client_id, ${event}.recovery_id))`;
}
