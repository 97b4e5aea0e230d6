import { violatedUnique } from '../platform/db/database.js';

/** True when a write was refused because another open or paid recovery holds the debt, its original or its payment. */
export function isDebtTaken(error: unknown): boolean {
  return violatedUnique(error)?.startsWith('recoveries_one_per_') === true;
}
