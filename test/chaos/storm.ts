import { setTimeout as sleep } from 'node:timers/promises';

import { Agent, request } from 'undici';

import { offendersOf } from '../crash/crashpoints.js';
import { World, type Actor } from '../crash/world.js';
import { unique } from '../support/merchant.js';
import { Seeded } from '../support/seeded.js';
import type { ServiceProcess } from '../support/service-process.js';

export interface StormOptions {
  seed: number;
  keys: number;
  /** Calls with one key at once. */
  parallel: number;
  /** Kills of one of the two processes, spread over the storm. */
  kills: number;
  tell: (line: string) => void;
}

export interface StormReport {
  calls: number;
  kills: number;
  recoveries: number;
  collected: number;
  /** Keys whose callers were told different things, and what. */
  contradictions: string[];
  /** Keys with more than one recovery, or more than one stored answer. */
  doubled: number;
  offenders: string[];
}

/** Keys under way at once: each of them brings all its calls. */
const KEYS_AT_ONCE = 4;
const AGAIN_MS = 1_200;
const agent = new Agent({ connections: 512, headersTimeout: 40_000, bodyTimeout: 40_000 });

/** Many calls under each of many keys, at two processes that are killed meanwhile. */
export class Storm {
  private readonly services: (ServiceProcess | null)[] = [null, null];
  private readonly random: Seeded;
  private calls = 0;
  private kills = 0;
  private done = 0;
  private readonly contradictions: string[] = [];

  private constructor(
    private readonly options: StormOptions,
    private readonly world: World,
  ) {
    this.random = new Seeded(options.seed, 'storm');
  }

  static async run(options: StormOptions): Promise<StormReport> {
    const world = await World.open();
    try {
      return await new Storm(options, world).play();
    } finally {
      await world.close();
    }
  }

  private async play(): Promise<StormReport> {
    for (const place of this.services.keys()) this.services[place] = await this.world.start();
    const actor = await this.world.actor(this.services[0] as ServiceProcess);
    const keys = Array.from({ length: this.options.keys }, () => unique('key'));
    const turns = Array.from({ length: KEYS_AT_ONCE }, () => this.work(actor, keys));
    await Promise.all([this.killOn(), ...turns]);
    return this.report(actor);
  }

  private async work(actor: Actor, keys: string[]): Promise<void> {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
      const sent = {
        paymentMethodToken: 'pm_card_visa',
        amount: 2_500,
        currency: 'USD',
        reference: key,
        idempotencyKey: key,
      };
      const callers = Array.from({ length: this.options.parallel }, () => this.untilAnswered(actor, sent));
      const answers = new Set(await Promise.all(callers));
      if (answers.size > 1) this.contradictions.push(`${key}: ${[...answers].join(' | ')}`);
      this.done += 1;
      if (this.done % 50 === 0) this.options.tell(`${this.done} keys, ${this.calls} calls, ${this.kills} kills`);
    }
  }

  private async untilAnswered({ apiKey }: Actor, sent: object): Promise<string> {
    for (;;) {
      const answer = await this.call(apiKey, sent);
      if (answer && answer.status === 200) return answer.text;
      const isPassing = answer === null || answer.status === 503 || answer.text.includes('idempotency_in_flight');
      if (!isPassing) return `${answer.status} ${answer.text}`;
      await sleep(AGAIN_MS);
    }
  }

  private async call(apiKey: string, sent: object): Promise<{ status: number; text: string } | null> {
    const up = this.services.filter((each) => each !== null);
    const door = up[this.random.below(up.length)];
    if (!door) return null;
    this.calls += 1;
    try {
      const { statusCode, body } = await request(`${door.url}/api/recovery/execute`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
        body: JSON.stringify(sent),
        dispatcher: agent,
      });
      return { status: statusCode, text: await body.text() };
    } catch {
      return null; // Killed under the call: it is made again.
    }
  }

  private async killOn(): Promise<void> {
    const { keys, kills } = this.options;
    while (this.kills < kills) {
      await this.until(() => this.done >= ((this.kills + 0.5) * keys) / (kills + 1));
      const place = this.kills % this.services.length;
      await this.services[place]?.kill();
      this.services[place] = null;
      this.kills += 1;
      this.services[place] = await this.world.start();
    }
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!holds()) await sleep(20);
  }

  private async report(actor: Actor): Promise<StormReport> {
    const { calls, kills, contradictions } = this;
    const { rows } = await this.world.rows.query<{ recoveries: number; doubled: number }>(
      `SELECT count(*)::int AS recoveries, (SELECT count(*)::int FROM (
         SELECT FROM recoveries GROUP BY client_id, idempotency_key HAVING count(*) > 1) twice) AS doubled
       FROM recoveries WHERE client_id = $1`,
      [actor.clientId],
    );
    const ledger = await actor.bank.admin.ledger(actor.bank.accountId);
    const collected = ledger.filter(({ status }) => status === 'succeeded').length;
    const api = this.services.find((each) => each !== null);
    const offenders = api ? await offendersOf(api) : ['no process is left to ask'];
    return { ...(rows[0] ?? { recoveries: 0, doubled: 0 }), calls, kills, collected, contradictions, offenders };
  }
}
