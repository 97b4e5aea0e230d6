import type { Channel, Severity } from './alert.js';
import type { NotificationPart, Purpose } from './grouping.js';
import type { Summary } from './summary.js';

/** One group's share of a message. */
export interface MessagePart extends NotificationPart {
  /** Lasting alerts of the group that are open now. */
  open: number;
  summary: Summary;
}

/** What a message says, fixed when it was made and kept as JSON: counts, amounts, codes and ids; no customer data. */
export interface MessageContent {
  purpose: Purpose | 'test';
  severity: Severity;
  clientId: string;
  /** The merchant's own name. */
  clientName: string;
  livemode: boolean;
  locale: string;
  zone: string;
  /** The first is what the message is about. */
  parts: MessagePart[];
  /** Set where several groups share the message because the hourly limit is reached: that limit. */
  hourlyCap: number | null;
  /** Why another channel's alerts come here, such as `EMAIL: SMTP_URL is not set`. */
  inPlaceOf: string[];
  createdAt: string;
}

/** A message on its way to one place. */
export interface OutgoingMessage {
  id: string;
  /** The same for every address that the same is sent to. */
  notificationId: string;
  clientId: string;
  channel: Channel;
  /** The address or the number; null where the channel has one place only. */
  target: string | null;
  /** The first notification of the story; the message's own when it is the first. */
  threadId: string;
  content: MessageContent;
  createdAt: Date;
}

/** Where a reader goes on. */
export interface Links {
  /** The operator's console; null while there is none to open. */
  console: string | null;
  /** How this reader hears no more of this kind; null where that can not be had. */
  unsubscribe: string | null;
}
