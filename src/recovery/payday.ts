import { lastBusinessDay } from './bank-days.js';
import { DAY_MS, HOUR_MS, instantOf, startOfDay, wallAt, type WallMs } from './local-time.js';

/** A charge waits for the next payday this long at most. */
const PAYDAY_WAIT_MS_MAX = 96 * HOUR_MS;

const FRIDAY = 5;

/** What decides which days are paydays. */
export interface PaydayRules {
  /** In place of Friday, clamped to the month's end; null for Friday. */
  billingCycleDay: number | null;
  /** Whose bank holidays count, ISO 3166 alpha-2; null: weekends only. */
  bankCountry: string | null;
}

/**
 * Moves an instant on to the next payday, if one comes within 96 hours; else it stays. Never moves it earlier. Paydays
 * are the 1st, the 15th, the last business day, and Friday or, when given, the merchant's billing cycle day.
 * @param localHour the local hour on the payday; null keeps the instant's own time of day.
 */
export function shiftToPayday(instantMs: number, zone: string, localHour: number | null, rules: PaydayRules): number {
  const wall = wallAt(instantMs, zone);
  if (isPayday(wall, rules)) return instantMs;
  const time = localHour === null ? wall : startOfDay(wall) + localHour * HOUR_MS;
  for (let days = 1; days <= 5; days += 1) {
    if (!isPayday(time + days * DAY_MS, rules)) continue;
    const candidate = instantOf(time + days * DAY_MS, zone);
    return candidate - instantMs <= PAYDAY_WAIT_MS_MAX ? candidate : instantMs;
  }
  return instantMs;
}

/** True when that local day is a payday. */
export function isPayday(wall: WallMs, { billingCycleDay, bankCountry }: PaydayRules): boolean {
  const date = new Date(wall);
  const day = date.getUTCDate();
  if (day === 1 || day === 15) return true;
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth() + 1;
  if (billingCycleDay === null ? date.getUTCDay() === FRIDAY : isCycleDay(billingCycleDay, day, year, month))
    return true;
  // No month's last business day comes before the 15th: asked last, since it is the dearest question.
  return day > 15 && day === lastBusinessDay(bankCountry, year, month);
}

function isCycleDay(cycleDay: number, day: number, year: number, month: number): boolean {
  if (cycleDay === day) return true;
  return cycleDay > day && day === new Date(Date.UTC(year, month, 0)).getUTCDate();
}
