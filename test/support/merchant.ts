import { contractChecker } from './contract.js';
import { Api, type Answer, type JsonObject } from './api.js';
import { assertSigned, type Receiver, type WebhookBody } from './receiver.js';

/** The body of 200, 202 and 403, as far as the tests read it by name. */
export interface ExecuteBody extends JsonObject {
  success: boolean;
  status: string;
  state: string;
  transactionId: string;
  attemptCount: number;
  attemptsRemaining: number;
  endReason: string | null;
  round: number;
  scheduledFor: string | null;
  deadlineAt: string;
  gatewayTransactionToken: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface AttemptBody extends JsonObject {
  attemptId: string;
  number: number;
  outcome: string;
  at: string;
  endedAt: string | null;
}

export interface StatusBody extends JsonObject {
  transactionId: string;
  status: string;
  state: string;
  trigger: string | null;
  nextRetryAt: string | null;
  deadlineAt: string;
  endReason: string | null;
  round: number;
  attempts: AttemptBody[];
}

export interface TimelineEntry extends JsonObject {
  sequence: number;
  type: string;
  fromState: string | null;
  toState: string;
  rule: string;
}

export interface Page<Row> extends JsonObject {
  data: Row[];
  hasMore: boolean;
  nextAfter: string | null;
}

export interface LedgerCharge extends JsonObject {
  revtainTransactionId: string | null;
  attemptId: string | null;
  amount: number;
  status: 'succeeded' | 'failed' | 'pending';
  declineCode: string | null;
  at: string;
}

export interface Account {
  clientId: string;
  apiKey: string;
  webhookSecret: string;
  /** The path of the receiver that its first endpoint goes to. */
  mailbox: string;
}

let names = 0;

/** A name that no other debt, key or customer of this process has. */
export function unique(word: string): string {
  return `${word}_${process.pid}_${++names}`;
}

/** A merchant's backend: calls the service with its key, and reads its mailbox. */
export class Merchant {
  readonly api: Api;

  constructor(
    url: string,
    private readonly receiver: Receiver,
    readonly account: Account,
  ) {
    this.api = new Api(url, { 'x-api-key': account.apiKey });
  }

  get clientId(): string {
    return this.account.clientId;
  }

  /** The same merchant, calling another instance of the service. */
  at(url: string): Merchant {
    return new Merchant(url, this.receiver, this.account);
  }

  /** A debt of its own unless the request names one: another reference and another key each time. */
  execute(request: JsonObject = {}, headers: Record<string, string> = {}): Promise<Answer<ExecuteBody>> {
    return this.api.post('/api/recovery/execute', this.request(request), headers);
  }

  request(request: JsonObject = {}): JsonObject {
    const named = { reference: unique('inv'), idempotencyKey: unique('key') };
    return { paymentMethodToken: 'pm_card_visa', amount: 2_500, currency: 'USD', ...named, ...request };
  }

  async status(id: string): Promise<StatusBody> {
    return (await this.api.get<StatusBody>(`/api/recovery/status/${id}`)).body;
  }

  async timeline(id: string): Promise<TimelineEntry[]> {
    return (await this.api.get<Page<TimelineEntry>>(`/api/recovery/${id}/events?limit=200`)).body.data;
  }

  list(query = ''): Promise<Answer<Page<StatusBody>>> {
    return this.api.get(`/api/recovery${query}`);
  }

  cancel(id: string, reason = 'customer_request'): Promise<Answer<StatusBody>> {
    return this.api.post(`/api/recovery/${id}/cancel`, { reason });
  }

  retry(id: string, headers: Record<string, string> = {}): Promise<Answer<ExecuteBody>> {
    return this.api.post(`/api/recovery/${id}/retry`, undefined, headers);
  }

  payWith(id: string, paymentMethodToken: string, headers: Record<string, string> = {}): Promise<Answer<ExecuteBody>> {
    return this.api.post(`/api/recovery/${id}/payment-method`, { paymentMethodToken }, headers);
  }

  resolve(id: string, outcome: string, evidence: JsonObject): Promise<Answer<StatusBody>> {
    return this.api.post(`/api/recovery/${id}/resolve`, { outcome, evidence });
  }

  /** Walks the client's clock to an instant. @throws unless it got there. */
  async advanceTo(instant: string | Date): Promise<void> {
    const advanceTo = new Date(instant).toISOString();
    const { status, bytes } = await this.api.post('/api/sandbox/clock', { advanceTo });
    if (status !== 200) throw new Error(`the clock did not move: ${bytes.toString()}`);
  }

  /** What the test gateway charged: all of it, or what it charged for one recovery. Oldest first. */
  async ledger(id?: string): Promise<LedgerCharge[]> {
    const { body } = await this.api.get<{ charges: LedgerCharge[] }>('/api/sandbox/ledger');
    return body.charges.filter((charge) => id === undefined || charge.revtainTransactionId === id);
  }

  /** The events of one recovery that have come to the mailbox so far, each once, each signed and as documented. */
  events(id: string): WebhookBody[] {
    const came = this.receiver.at(this.account.mailbox).filter(({ body }) => body.revtainTransactionId === id);
    const seen = new Map<string, WebhookBody>();
    for (const webhook of came) {
      assertSigned(webhook, this.account.webhookSecret);
      contractChecker().checkWebhook(webhook.body, webhook.headers);
      seen.set(webhook.body.id, webhook.body);
    }
    return [...seen.values()];
  }

  /** Waits for an event of one recovery, then tells it. */
  async event(id: string, type: string): Promise<WebhookBody> {
    const { mailbox } = this.account;
    await this.receiver.waitFor(
      ({ path, body }) => path === mailbox && body.event === type && body.revtainTransactionId === id,
    );
    const found = this.events(id).find(({ event }) => event === type);
    if (!found) throw new Error(`${type} came and is gone`);
    return found;
  }

  /** Waits for so many events of one recovery, then tells all that have come. */
  async told(id: string, count: number): Promise<WebhookBody[]> {
    const { mailbox } = this.account;
    await this.receiver.waitFor(({ path, body }) => path === mailbox && body.revtainTransactionId === id, count);
    return this.events(id);
  }

  /** Adds an endpoint that gets every event there is; returns a reader of its own mailbox. */
  async hearEverything(): Promise<Merchant> {
    const mailbox = `${this.account.mailbox}/all`;
    const body = { url: this.receiver.url(mailbox), events: EVERY_EVENT };
    const made = await this.api.post('/api/webhook-endpoints', body);
    if (made.status !== 201) throw new Error(`no endpoint was made: ${made.bytes.toString()}`);
    const webhookSecret = String(made.body.secret ?? made.body.webhookSigningSecret);
    return new Merchant(this.api.url, this.receiver, { ...this.account, mailbox, webhookSecret });
  }
}

const EVERY_EVENT = [
  'recovery.success',
  'recovery.failed',
  'recovery.blocked',
  'recovery.holdout',
  'recovery.scheduled',
  'recovery.attempt_failed',
  'recovery.action_required',
  'recovery.unknown',
  'recovery.cancelled',
];
