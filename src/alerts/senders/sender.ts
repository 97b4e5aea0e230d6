import type { AlertAccount } from '../../clients/alert-accounts.service.js';
import type { Links, OutgoingMessage } from '../message.js';
import type { SendResult } from '../retry.js';

/** A try ends by then, whatever the other side does: well within the lease of its message. */
export const SEND_DEADLINE_MS = 15_000;

/** Sends one message to one place, once. Never throws for what the other side does. */
export abstract class AlertSender {
  abstract send(message: OutgoingMessage, account: AlertAccount, links: Links): Promise<SendResult>;
}
