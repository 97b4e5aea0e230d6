import type { Placement, Policy, RoundFacts, Rule, ScheduleGroup, ScheduleRow } from './facts.js';
import { type BlackoutHours, nextOpen } from './blackout.js';
import { DAY_MS, HOUR_MS, nextLocalHour } from './local-time.js';
import { shiftToPayday } from './payday.js';
import { rule } from './rules.js';

/** A round is open this long unless the merchant says otherwise. */
const ROUND_DAYS = 28;

/** The last charge of a round comes this long before its deadline, so that its outcome is known by then. */
const DEADLINE_MARGIN_MS = HOUR_MS;

const MINUTE_MS = 60_000;

export interface ScheduleMoment {
  now: Date;
  /** A network's wait or a full network limit; null when there is neither. `policy.notBefore` counts besides. */
  earliestAt: Date | null;
  /** In [0, 1). */
  jitter: number;
}

export type NextCharge =
  | { kind: 'due'; dueAt: Date; slotHours: number; placement: Placement; rule: Rule }
  | { kind: 'none'; endReason: 'exhausted' | 'deadline'; placement: Placement | null; rule: Rule };

interface Slot {
  atMs: number;
  hours: number;
}

/** When the round's deadline falls if nobody says otherwise: 28 days after its opening. */
export function defaultDeadline(openedAt: Date): Date {
  return new Date(openedAt.getTime() + ROUND_DAYS * DAY_MS);
}

/**
 * When the round's next scheduled charge is due, in the group of its newest decline: slot, gap, earliest times, local
 * hour, payday, blackout, jitter, in this order. Shift and jitter never carry it past the deadline's last hour nor drop
 * it; when nothing fits, the round ends now and not at the deadline.
 */
export function nextCharge(
  policy: Policy,
  group: ScheduleGroup,
  round: RoundFacts,
  moment: ScheduleMoment,
): NextCharge {
  if (moment.now >= round.deadlineAt) {
    return { kind: 'none', endReason: 'deadline', placement: null, rule: rule('deadline_passed') };
  }
  if (round.chargesMade >= policy.attemptsMax) return ended('attempts_spent', null);
  const row = policy.rows[group];
  const slot = nextSlot(row, round);
  if (!slot) return ended('no_slot_left', null);
  const placement = place(slot.atMs, policy, row, round, moment);
  const { wantedMs, plainMs, lastMs } = placement;
  const dueMs = wantedMs <= lastMs ? wantedMs : plainMs;
  if (dueMs > lastMs) return ended('nothing_fits', placement);
  return { kind: 'due', dueAt: new Date(dueMs), slotHours: slot.hours, placement, rule: rule('scheduled', group) };
}

function place(
  slotMs: number,
  policy: Policy,
  row: ScheduleRow,
  round: RoundFacts,
  { now, earliestAt, jitter }: ScheduleMoment,
): Placement {
  const { timezone, billingCycleDay } = policy;
  const blackout = policy.blackoutHours ?? NO_BLACKOUT;
  const earliestMs = Math.max(slotMs, gapEndMs(row, round), msOf(policy.notBefore), msOf(earliestAt), now.getTime());
  const localMs = row.localHour === null ? earliestMs : nextLocalHour(earliestMs, row.localHour, timezone);
  const rules = { billingCycleDay, bankCountry: policy.bankCountry ?? null };
  const paydayMs = row.paydayShift ? shiftToPayday(localMs, timezone, row.localHour, rules) : localMs;
  const openMs = nextOpen(paydayMs, timezone, blackout);
  const jitteredMs = openMs + jitterMs(row, openMs, round, jitter);
  return {
    slotMs,
    earliestMs,
    localMs,
    paydayMs,
    openMs,
    // Jitter may lead into the next closed hours: their end is late enough.
    wantedMs: nextOpen(jitteredMs, timezone, blackout),
    plainMs: nextOpen(localMs, timezone, blackout),
    lastMs: round.deadlineAt.getTime() - DEADLINE_MARGIN_MS,
  };
}

const NO_BLACKOUT: readonly BlackoutHours[] = [];

function ended(name: 'attempts_spent' | 'no_slot_left' | 'nothing_fits', placement: Placement | null): NextCharge {
  return { kind: 'none', endReason: 'exhausted', placement, rule: rule(name) };
}

/** Charges still possible in this round: the smaller of what `attemptsMax` and the group's slots leave. */
export function attemptsRemaining(policy: Policy, group: ScheduleGroup | null, round: RoundFacts): number {
  if (group === null) return 0;
  const row = policy.rows[group];
  const slotsLeft = row.slotsHours.length - slotIndex(row, round);
  return Math.max(0, Math.min(policy.attemptsMax - round.chargesMade, slotsLeft));
}

/** True while the schedule's first slot, counted from the failed charge, is still ahead. */
export function isFirstSlotAhead(row: ScheduleRow, failedAt: Date, now: Date): boolean {
  return failedAt.getTime() + (row.slotsHours[0] ?? 0) * HOUR_MS > now.getTime();
}

/** The first slot that remains; null when none does. */
function nextSlot(row: ScheduleRow, round: RoundFacts): Slot | null {
  const index = slotIndex(row, round);
  const hours = row.slotsHours[index];
  if (hours === undefined) return null;
  const openedMs = round.openedAt.getTime();
  return { atMs: Math.max(round.anchorAt.getTime() + hours * HOUR_MS, openedMs), hours };
}

/**
 * Where in the row the remaining slots begin. Those passed when the round opened are dropped, the last of them counting
 * as due at the opening, unless the charge in the request already took it.
 */
function slotIndex(row: ScheduleRow, round: RoundFacts): number {
  const openedHours = (round.openedAt.getTime() - round.anchorAt.getTime()) / HOUR_MS;
  let passed = 0;
  while (passed < row.slotsHours.length && (row.slotsHours[passed] ?? 0) <= openedHours) passed += 1;
  const chargedInRequest = round.chargesMade > round.scheduledTaken;
  const first = passed > 0 && !chargedInRequest ? passed - 1 : passed;
  return first + round.scheduledTaken;
}

function gapEndMs(row: ScheduleRow, round: RoundFacts): number {
  return round.lastAttemptAt === null ? -Infinity : round.lastAttemptAt.getTime() + row.gapHours * HOUR_MS;
}

function msOf(instant: Date | null): number {
  return instant?.getTime() ?? -Infinity;
}

function jitterMs(row: ScheduleRow, dueMs: number, round: RoundFacts, jitter: number): number {
  if (row.jitter.kind === 'minutes') return Math.floor(jitter * row.jitter.max * MINUTE_MS);
  const fromMs = (round.lastAttemptAt ?? round.anchorAt).getTime();
  return Math.floor(jitter * row.jitter.max * Math.max(0, dueMs - fromMs));
}
