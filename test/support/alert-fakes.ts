import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface ReceivedMail {
  /** The envelope's. */
  to: string[];
  raw: string;
  mail: Email;
  /** By lower-case name, unfolded. */
  headers: Record<string, string>;
}

/** A real SMTP server on loopback that keeps and parses every mail, or answers as it is told. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** Answers of the next mails in place of a success, such as 451 or 550. */
  readonly refusals: number[] = [];

  private constructor(private readonly server: SMTPServer) {}

  static async start(options: SMTPServerOptions = {}): Promise<MailServer> {
    const mails: { take: (raw: string, to: string[]) => Promise<number> } = { take: () => Promise.resolve(250) };
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      ...options,
      onData(stream, session, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const to = session.envelope.rcptTo.map(({ address }) => address);
          mails.take(Buffer.concat(chunks).toString('utf8'), to).then(
            (code) => done(code === 250 ? null : Object.assign(new Error('not now'), { responseCode: code })),
            (error: unknown) => done(error as Error),
          );
        });
      },
    });
    const mailServer = new MailServer(server);
    mails.take = (raw, to) => mailServer.take(raw, to);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return mailServer;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.server.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async take(raw: string, to: string[]): Promise<number> {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    const mail = await PostalMime.parse(raw);
    const headers = Object.fromEntries(mail.headers.map(({ key, value }) => [key.toLowerCase(), value]));
    this.received.push({ to, raw, mail, headers });
    return 250;
  }
}

export interface ReceivedCall {
  path: string;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
}

export interface FakeAnswer {
  status: number;
  body?: string;
  headers?: Record<string, string>;
}

const TWILIO_PATH = /^\/2010-04-01\/Accounts\/(AC\w+)\/Messages\.json$/;

/**
 * Twilio, Slack, PagerDuty and a merchant's own alert receiver on one loopback port. Each refuses what its published
 * interface would refuse, so that a wrong request can not pass for a success.
 */
export class AlertFakes {
  readonly calls: ReceivedCall[] = [];
  /** What went wrong with requests that were refused, in words. */
  readonly complaints: string[] = [];
  private readonly scripts: { path: RegExp; answer: FakeAnswer }[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<AlertFakes> {
    const server = createServer();
    const fakes = new AlertFakes(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void fakes.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fakes;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next request to such a path is answered so. */
  answerNext(path: RegExp, answer: FakeAnswer): void {
    this.scripts.push({ path, answer });
  }

  at(path: RegExp): ReceivedCall[] {
    return this.calls.filter((call) => path.test(call.path));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const call = { path: request.url ?? '/', headers: request.headers, bytes, text: bytes.toString('utf8') };
    this.calls.push(call);
    const { status, body = '', headers = {} } = this.answerTo(request.method ?? '', call);
    response.writeHead(status, headers).end(body);
  }

  private answerTo(method: string, call: ReceivedCall): FakeAnswer {
    const place = this.scripts.findIndex(({ path }) => path.test(call.path));
    if (place >= 0) return this.scripts.splice(place, 1)[0]?.answer ?? { status: 500 };
    const problems = method === 'POST' ? problemsOf(call) : ['is no POST'];
    if (problems.length > 0) {
      this.complaints.push(`${call.path} ${problems.join('; ')}`);
      return { status: 400, body: JSON.stringify({ code: 21_602, message: problems.join('; ') }) };
    }
    if (TWILIO_PATH.test(call.path))
      return { status: 201, body: JSON.stringify({ sid: 'SM1', status: 'queued', error_code: null }) };
    if (call.path === '/v2/enqueue') return { status: 202, body: JSON.stringify({ status: 'success' }) };
    return { status: 200, body: 'ok' };
  }
}

function problemsOf(call: ReceivedCall): string[] {
  if (TWILIO_PATH.test(call.path)) return twilioProblems(call);
  if (call.path === '/v2/enqueue') return pagerDutyProblems(JSON.parse(call.text) as Record<string, unknown>);
  if (call.path.startsWith('/services/')) return slackProblems(JSON.parse(call.text) as Record<string, unknown>);
  return [];
}

/** @see https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource */
function twilioProblems({ headers, text, path }: ReceivedCall): string[] {
  const form = new URLSearchParams(text);
  const sid = TWILIO_PATH.exec(path)?.[1] ?? '';
  const basic = `Basic ${Buffer.from(`${sid}:twilio_token`).toString('base64')}`;
  return [
    ...(headers['content-type'] === 'application/x-www-form-urlencoded' ? [] : ['is no form']),
    ...(headers.authorization === basic ? [] : ['has no right credentials']),
    ...(/^\+[1-9]\d{6,14}$/.test(form.get('To') ?? '') ? [] : ['has no To in E.164']),
    ...(form.has('From') !== form.has('MessagingServiceSid') ? [] : ['has not exactly one sender']),
    ...((form.get('Body') ?? '').length > 0 && (form.get('Body') ?? '').length <= 1_600
      ? []
      : ['has no Body of 1 to 1600']),
    ...[...form.keys()].filter((name) => !['To', 'From', 'MessagingServiceSid', 'Body'].includes(name)),
  ];
}

/** @see https://developer.pagerduty.com/docs/send-alert-event */
function pagerDutyProblems(event: Record<string, unknown>): string[] {
  const problems: string[] = [];
  const known = ['routing_key', 'event_action', 'dedup_key', 'payload', 'client', 'client_url', 'links', 'images'];
  problems.push(...Object.keys(event).filter((name) => !known.includes(name)));
  if (!/^\w{32}$/.test(String(event['routing_key']))) problems.push('has no routing_key of 32');
  const key = event['dedup_key'];
  if (key !== undefined && (typeof key !== 'string' || key.length > 255)) problems.push('has a bad dedup_key');
  if (event['event_action'] === 'resolve') return problems;
  if (event['event_action'] !== 'trigger') problems.push('has no event_action');
  const payload = (event['payload'] ?? {}) as Record<string, unknown>;
  const { summary, source, severity, timestamp } = payload;
  if (typeof summary !== 'string' || summary.length === 0 || summary.length > 1_024) problems.push('has no summary');
  if (typeof source !== 'string' || source === '') problems.push('has no source');
  if (!['critical', 'warning', 'error', 'info'].includes(String(severity))) problems.push('has no severity');
  if (Number.isNaN(Date.parse(String(timestamp)))) problems.push('has no timestamp');
  return problems;
}

const SLACK_TEXT_MAX: Readonly<Record<string, number>> = { header: 150, section: 3_000 };

/** @see https://docs.slack.dev/reference/block-kit/blocks */
function slackProblems({ text, blocks, ...others }: Record<string, unknown>): string[] {
  const problems = Object.keys(others);
  if (typeof text !== 'string' || text === '') problems.push('has no text');
  if (!Array.isArray(blocks) || blocks.length === 0 || blocks.length > 50)
    return [...problems, 'has no 1 to 50 blocks'];
  for (const block of blocks as { type: string; text?: { type: string; text: string }; elements?: unknown[] }[]) {
    if (!['header', 'section', 'context', 'actions'].includes(block.type)) problems.push(`has a block ${block.type}`);
    const most = SLACK_TEXT_MAX[block.type];
    if (most !== undefined && (!block.text || block.text.text === '' || block.text.text.length > most))
      problems.push(`has a bad ${block.type}`);
    if (block.type === 'header' && block.text?.type !== 'plain_text')
      problems.push('has a header that is no plain_text');
  }
  return problems;
}
