import { setTimeout as sleep } from 'node:timers/promises';

import { Agent, request } from 'undici';

import type { JsonObject } from '../support/api.js';
import { unique } from '../support/merchant.js';
import type { Act, Story } from './stories.js';
import type { Actor, Standing, World } from './world.js';

const STEP_MS = 150;
/** A charge may take 25 s to be answered, and whoever died with it is taken over within 15 s. */
const PATIENCE_MS = 120_000;
/** Conflicts that ask to be asked again. */
const PASSING = ['idempotency_in_flight', 'gateway_unreadable', 'outcome_unknown'];
const FINAL_STATES = ['failed', 'blocked', 'cancelled', 'holdout', 'succeeded'];
const agent = new Agent({ connections: 256, headersTimeout: 40_000, bodyTimeout: 40_000 });

/** Where honest clients call: the process in the drill first, and another one once it is gone. */
export interface Doors {
  current(): string;
}

/**
 * Plays one merchant's story to its end, whatever happens to the service meanwhile: repeats each call with its key until
 * it is answered, and lets time pass whenever all that is left is to wait.
 */
export class Player {
  private readonly reference = unique('inv');
  private readonly acted = new Set<Act>();
  /** The answers to the execute, and to its repeats: they must all be the same. */
  readonly answers: string[] = [];

  constructor(
    private readonly world: World,
    readonly actor: Actor,
    readonly story: Story,
    private readonly doors: Doors,
  ) {}

  /** @throws when the story does not end in time. */
  async play(standings: () => ReadonlyMap<string, Standing>): Promise<void> {
    if (this.story.receiverFails) this.world.receiver.answer(this.actor.mailbox, { status: 500 });
    await this.execute({ paymentMethodToken: 'pm_card_visa', ...(await this.story.send(this.actor.bank)) });
    const endsAtMs = performance.now() + PATIENCE_MS;
    while (performance.now() < endsAtMs) {
      const standing = standings().get(this.actor.clientId);
      if (standing && (await this.goOn(standing))) return;
      await sleep(STEP_MS);
    }
    throw new Error(`it does not end: ${JSON.stringify(standings().get(this.actor.clientId) ?? 'no recovery')}`);
  }

  /** How often each final event came to the receiver, by its id. */
  finalEvents(): Map<string, string> {
    const came = this.world.receiver.at(this.actor.mailbox).filter(({ body }) => body.final);
    return new Map(came.map(({ body }) => [body.id, body.event]));
  }

  /** True at the end. */
  private async goOn(standing: Standing): Promise<boolean> {
    const act = this.story.acts?.find((each) => !this.acted.has(each) && each.when(standing));
    if (act) {
      if (!standing.isLeased) {
        this.acted.add(act);
        await this.do(act, standing.id);
      }
      return false;
    }
    const isFinal = FINAL_STATES.includes(standing.state) && !standing.isDue && !standing.isLeased;
    if (isFinal) return this.isTold(standing);
    if (!standing.isLeased && standing.dueInMs !== null && standing.dueInMs > 0)
      await this.world.pass(this.actor, standing.dueInMs + 1_000);
    return false;
  }

  private async isTold({ id, state, heldEvents }: Standing): Promise<boolean> {
    if (state === 'cancelled') return true; // Told only to those who ask for it.
    if (heldEvents > 0) await this.world.pass(this.actor, 31 * 60_000);
    const came = this.world.receiver.at(this.actor.mailbox);
    return came.some(({ body }) => body.final && body.revtainTransactionId === id);
  }

  private async do(act: Act, id: string): Promise<void> {
    if (act.atBank) await act.atBank(this.actor.bank);
    if (act.again) await this.execute(act.again);
    if (!act.call) return;
    const { path, body, keyed } = act.call;
    const key: Record<string, string> = keyed ? { 'idempotency-key': unique('key') } : {};
    await this.untilAnswered(`/api/recovery/${id}/${path}`, body, key);
  }

  private async execute(fields: JsonObject): Promise<void> {
    const reference = fields['invoiceId'] ? {} : { reference: this.reference };
    const sent = { amount: 2_500, currency: 'USD', ...reference, idempotencyKey: unique('key'), ...fields };
    const first = await this.untilAnswered('/api/recovery/execute', sent);
    // What was answered once is the answer for ever, wherever it is asked again; a refusal is made anew each time.
    const again = await this.untilAnswered('/api/recovery/execute', sent);
    if (!first.startsWith('409')) this.answers.push(first, again);
  }

  /** As an honest client does: the same bytes under the same key, until there is an answer. */
  private async untilAnswered(path: string, body: JsonObject | undefined, headers = {}): Promise<string> {
    const endsAtMs = performance.now() + PATIENCE_MS;
    let last = 'nothing';
    while (performance.now() < endsAtMs) {
      const answer = await this.call(path, body, headers);
      if (answer !== null && answer.status !== 503 && !PASSING.includes(answer.code)) {
        if (answer.status < 400 || answer.status === 403 || answer.status === 409)
          return `${answer.status} ${answer.text}`;
        throw new Error(`${path} was answered ${answer.status} ${answer.text}`);
      }
      last = answer === null ? 'no answer' : `${answer.status} ${answer.code}`;
      await sleep(STEP_MS);
    }
    throw new Error(`${path} was never answered; the last was ${last}`);
  }

  private async call(path: string, body: JsonObject | undefined, headers: Record<string, string>) {
    try {
      const { statusCode, body: answered } = await request(this.doors.current() + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': this.actor.apiKey, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        dispatcher: agent,
      });
      const text = await answered.text();
      return { status: statusCode, text, code: (JSON.parse(text) as { code?: string }).code ?? '' };
    } catch {
      return null; // The process was killed, or is stopped: whoever waits for it asks another one.
    }
  }
}
