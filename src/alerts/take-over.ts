import { graver } from './alert.js';
import type { GroupState, NotificationPart } from './grouping.js';

/** What a channel could not deliver, and what is known of it now. */
export interface Undelivered {
  part: NotificationPart;
  /** Alerts of the part, and how many of them are still open. */
  count: number;
  open: number;
  /** Such as `EMAIL: SMTP 550`. */
  reason: string;
}

/**
 * Gives a channel what another one could not deliver: its alerts are told here as if they had just come. Of a notice
 * that something is over or goes on, this channel owes the end, once it has come.
 */
export function takeOver(group: GroupState, { part, count, open, reason }: Undelivered, now: Date): GroupState {
  const taken = {
    ...group,
    severity: graver(group.severity, part.severity),
    newest: Math.max(group.newest, part.upToNumber),
    open: Math.max(group.open, open),
    tookOver: [...new Set([...group.tookOver, reason])],
  };
  if (part.purpose === 'resolved' || part.purpose === 'repeat') {
    return { ...taken, toldOpen: true, overSince: taken.open === 0 ? now : null };
  }
  if (count === 0) return group;
  return {
    ...taken,
    toldUpTo: Math.min(group.toldUpTo, part.afterNumber),
    untold: group.untold + count,
    untoldSince: group.untoldSince ?? now,
  };
}
