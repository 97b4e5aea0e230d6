import { STATUS_CODES } from 'node:http';

import type { Verification } from '../../packages/receiver/src/verify.js';
import { webhookText, type WebhookBody } from '../../src/demo/webhook-text.js';
import type { Forwarded } from './forward.js';
import type { Arrived } from './relay.js';

/** Where text goes: people's apart from machines', so that one can be piped. */
export interface Printer {
  note(text: string): void;
  delivery(arrived: Arrived, verification: Verification): void;
  forwarded(forwarded: Forwarded): void;
}

export function newPrinter(printJson: boolean): Printer {
  const note = printJson ? printError : printOut;
  return {
    note,
    delivery: ({ headers, body }, verification) => {
      if (printJson) printOut(jsonLine(body));
      const attempt = String(headers['x-revtain-delivery-attempt'] ?? '?');
      const verdict = verification.kind === 'verified' ? 'signature verified' : `REFUSED: ${verification.message}`;
      note(`${deliveryText(body, `${verdict}, try ${attempt}`).trimEnd()}`);
    },
    forwarded: (forwarded) => {
      note(`   ${forwardedText(forwarded)}\n`);
    },
  };
}

/** What became of a delivery, in a line. */
export function forwardedText(forwarded: Forwarded): string {
  if (forwarded.kind === 'not_forwarded') return `→ not forwarded, Revtain is told 502: ${forwarded.why}`;
  const { status, durationMs } = forwarded;
  return `→ ${status} ${STATUS_CODES[status] ?? ''} in ${durationMs} ms${meaningOf(status)}`;
}

function meaningOf(status: number): string {
  if (status === 410) return ': Revtain disables the endpoint; start listen again to go on';
  if (status >= 300 && status < 400)
    return ': a redirect is not followed and counts as a failure; Revtain sends it again';
  if (status === 401) return ': does your handler have the secret of this session? Revtain sends it again';
  return status >= 200 && status < 300 ? '' : ': Revtain sends it again';
}

function deliveryText(body: Buffer, verdict: string): string {
  const event = objectOf(body);
  return event === null ? `── no event ── ${verdict} ──` : webhookText(event, verdict);
}

/** On one line, for a reader of lines. The bytes that are forwarded stay as they came. */
function jsonLine(body: Buffer): string {
  const event = objectOf(body);
  return event === null ? JSON.stringify(body.toString('utf8')) : JSON.stringify(event);
}

function objectOf(body: Buffer): WebhookBody | null {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as WebhookBody) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function printOut(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}
