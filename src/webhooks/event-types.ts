/** Every event a merchant can ask for (openapi.yaml), and whether endpoints that name none get it. */
const BY_DEFAULT = {
  'recovery.success': true,
  'recovery.failed': true,
  'recovery.blocked': true,
  'recovery.holdout': true,
  'card.updated': true,
  'recovery.scheduled': false,
  'recovery.attempt_failed': false,
  'recovery.action_required': false,
  'recovery.unknown': false,
  'recovery.cancelled': false,
  'dunning.step_due': false,
  'dunning.stopped': false,
  'customer.summary_due': false,
  'incident.opened': false,
  'incident.resolved': false,
  'webhook.test': false,
} as const;

export type EventType = keyof typeof BY_DEFAULT;

export const EVENT_TYPES = Object.keys(BY_DEFAULT) as EventType[];

export function isEventType(text: string): text is EventType {
  return Object.hasOwn(BY_DEFAULT, text);
}

/** A merchant that has switched dunning off writes to nobody, so a spent recovery is told only to who asks for it. */
export function isDefaultEvent(type: EventType, dunningEnabled: boolean): boolean {
  return BY_DEFAULT[type] && (type !== 'recovery.failed' || dunningEnabled);
}
