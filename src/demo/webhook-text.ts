/** A webhook's body, as a merchant reads it. */
export type WebhookBody = Readonly<Record<string, unknown>>;

/** What a person wants to see, in this order; what is null in an event is left out. */
const SHOWN = [
  'revtainTransactionId',
  'reference',
  'idempotencyKey',
  'declineCode',
  'declineCategory',
  'recommendedAction',
  'recommendedActionDetail',
  'recommendedActionReason',
  'willRetry',
  'nextAttemptAt',
  'attemptCount',
  'trigger',
  'endReason',
  'final',
  'createdAt',
  'id',
] as const;

const LABEL_WIDTH = Math.max(...SHOWN.map((name) => name.length)) + 2;

/** One webhook as a block for people: a headline, what it says, and the fields that a handler branches on. */
export function webhookText(body: WebhookBody, verdict: string): string {
  const fields = SHOWN.filter((name) => (body[name] ?? null) !== null).map((name) => line(name, wordOf(body[name])));
  return [
    `── ${wordOf(body['event'])} ── ${verdict} ──`,
    ...(typeof body['message'] === 'string' ? [`   ${oneLine(body['message'])}`] : []),
    ...(typeof body['amount'] === 'number' ? [line('amount', amountOf(body))] : []),
    ...fields,
    '',
  ].join('\n');
}

function line(name: string, value: string): string {
  return `   ${name.padEnd(LABEL_WIDTH)}${value}`;
}

// The number is shown as it is on the wire: how many decimals a currency has is not the demo's to know.
function amountOf(body: WebhookBody): string {
  return `${wordOf(body['amount'])} ${wordOf(body['currency'])} (smallest unit)`;
}

function wordOf(value: unknown): string {
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value ?? null));
}

/** What came over the network must not steer the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
