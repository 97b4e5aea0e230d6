/**
 * SQL that is true for an event by which a merchant writes to a customer: once the debt is settled it is untrue, and who
 * acts on it would dun somebody who has paid. `alias` names a row of `webhook_events`. `recovery.blocked` is not among
 * them (docs/behaviour.md 6): what it says of the card stays true, and a payment follows it as `recovery.success`.
 */
export function asksCustomer(alias: string): string {
  return `${alias}.type IN ('recovery.failed', 'dunning.step_due')`;
}
