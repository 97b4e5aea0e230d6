import { graver } from './alert.js';
import { DIGEST_KEY, type GroupState, type NotificationPart } from './grouping.js';

const DAY_MS = 86_400_000;

/** What a channel could not deliver, and what is known of it now. */
export interface Undelivered {
  part: NotificationPart;
  /** Alerts of the part that this channel has not told, and how many of them are still open. */
  count: number;
  open: number;
  /** Such as `EMAIL: SMTP 550`. */
  reason: string;
}

/**
 * Gives a channel what another one could not deliver: its alerts are told here as if they had just come, also those that
 * were only to be repeated there. Of a notice that something is over this channel owes the same, once nothing is open.
 */
export function takeOver(group: GroupState, { part, count, open, reason }: Undelivered, now: Date): GroupState {
  const isDigest = part.key === DIGEST_KEY;
  const taken = {
    ...group,
    severity: graver(group.severity, part.severity),
    newest: Math.max(group.newest, part.upToNumber),
    // They were told on other channels only, so none of them is counted here yet.
    // What a digest holds is a report: nothing of it goes on.
    open: group.open + (isDigest ? 0 : open),
    tookOver: [...new Set([...group.tookOver, reason])],
  };
  if (part.purpose === 'resolved') {
    return { ...taken, toldOpen: true, overSince: taken.open === 0 ? now : null };
  }
  if (count === 0) return group;
  return {
    ...taken,
    toldUpTo: Math.min(group.toldUpTo, part.afterNumber),
    untold: group.untold + count,
    // Its hour has struck already: it is not left to the next morning.
    untoldSince: isDigest ? new Date(now.getTime() - DAY_MS) : (group.untoldSince ?? now),
  };
}
