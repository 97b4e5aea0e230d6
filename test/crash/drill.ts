import { setTimeout as sleep } from 'node:timers/promises';

import type { FailpointAction } from '../../src/platform/failpoints/failpoints.js';
import type { ServiceProcess } from '../support/service-process.js';
import { Player } from './player.js';
import { STORIES, type Story } from './stories.js';
import type { Actor, Standing, World } from './world.js';

const LOOK_EVERY_MS = 150;
/** A story that reaches its failpoint does so within seconds, on a machine that has nothing else to do. */
const REACH_MS = 90_000;
/** A lease of 12 s, and a little: whoever comes back after this is a zombie. */
const PAST_LEASE_MS = 14_000;
const READ_ONLY_MS = 3_000;

/** Who does what at a failpoint: the process to itself, or the drill to the process while it holds still. */
export const FAULTS = ['kill', 'kill_after', 'cut', 'cut_after', 'read_only', 'pause', 'pause_after'] as const;
export type Fault = (typeof FAULTS)[number];

/** What makes sense for a loop, which looks again and again. */
export const LOOP_FAULTS = ['kill', 'kill_after', 'cut', 'cut_after'] as const satisfies readonly Fault[];

/** One failpoint of one story, and what happens there. */
export interface Cell {
  story: Story;
  failpoint: string;
  nth: number;
  fault: Fault;
}

export interface CellResult extends Cell {
  /** A story may pass a point fewer times than before: it depends on when a look falls. */
  reached: boolean;
  /** From the kill to the claim by another process; null where nothing was in hand. */
  takeoverMs: number | null;
  /** What does not agree; empty when all of it does. */
  wrong: string[];
}

const NO_TAKEOVERS: ReadonlyMap<string, number> = new Map();
/** A loop looks from the start on: the second time it may have something to find. The others come only when there is. */
const LOOKS = /claim|next|release/;
const turnOf = (failpoint: string) => (LOOKS.test(failpoint) ? 2 : 1);
const LOOP_STORIES = ['paid at once', 'paid at the first retry', 'no answer at all', 'told at the second try'];

const ARMED_AS: Readonly<Record<Fault, FailpointAction>> = {
  kill: 'hold',
  kill_after: 'hold_after',
  cut: 'cut',
  cut_after: 'cut_after',
  read_only: 'hold',
  pause: 'hold',
  pause_after: 'hold_after',
};

/** Plays the stories of `cells`, each stopped at its own failpoint, and does to the process what they all ask for. */
export class Drill {
  private standings: ReadonlyMap<string, Standing> = new Map();
  private looking = true;
  private rescuer: ServiceProcess | null = null;

  constructor(
    private readonly world: World,
    private readonly api: ServiceProcess,
  ) {}

  /** Plays each story undisturbed and tells what it passes, each `name#nth` once. */
  async trace(stories: readonly Story[]): Promise<Map<Story, string[]>> {
    const victim = await this.world.start({ REVTAIN_FAILPOINTS: 'trace' });
    const players = await this.players(stories, victim);
    const ends = await this.playing(players, () => Promise.all(players.map((player) => this.play(player))));
    await victim.kill();
    const failed = stories.flatMap(({ name }, index) => (ends[index] ?? []).map((end) => `${name}: ${end}`));
    if (failed.length > 0) throw new Error(`undisturbed stories fail:\n${failed.join('\n')}`);
    const told = reachedIn(victim.printed);
    return new Map(
      players.map(({ story, actor }) => [
        story,
        told.filter(({ clientId }) => clientId === actor.clientId).map(({ name, count }) => `${name}#${count}`),
      ]),
    );
  }

  /** All of `cells` have one and the same fault. */
  async run(cells: readonly Cell[]): Promise<CellResult[]> {
    const [{ fault } = { fault: 'kill' as Fault }] = cells;
    const actors = await Promise.all(cells.map(() => this.world.actor(this.api)));
    const rules = cells.map(
      ({ failpoint, nth }, index) => `${failpoint}#${nth}@${actors[index]?.clientId ?? ''}=${ARMED_AS[fault]}`,
    );
    const victim = await this.world.start({
      REVTAIN_FAILPOINTS: rules.join(','),
      REVTAIN_DATABASE_POOL: String(cells.length + 20),
      REVTAIN_IN_FLIGHT: '256',
    });
    const doors = { current: () => victim.url };
    const players = cells.map(({ story }, index) => new Player(this.world, actors[index] as Actor, story, doors));
    let takeovers = new Map<string, number>();
    const ends = await this.playing(players, async () => {
      const plays = players.map((player) => this.play(player));
      await this.untilReached(victim, players, plays);
      takeovers = await this.disturb(fault, victim, doors);
      return Promise.all(plays);
    });
    await Promise.all([victim.kill(), this.rescuer?.kill()]);
    return this.results(cells, players, ends, reachedIn(victim.printed), takeovers);
  }

  /** Each loop stopped at its own failpoint, with a few stories under way. */
  async runLoops(failpoints: readonly string[], fault: (typeof LOOP_FAULTS)[number]): Promise<CellResult[]> {
    const stories = STORIES.filter(({ name }) => LOOP_STORIES.includes(name));
    const rules = failpoints.map((failpoint) => `${failpoint}#${turnOf(failpoint)}=${ARMED_AS[fault]}`);
    const victim = await this.world.start({ REVTAIN_FAILPOINTS: rules.join(',') });
    const doors = { current: () => victim.url };
    const actors = await Promise.all(stories.map(() => this.world.actor(this.api)));
    const players = stories.map((story, index) => new Player(this.world, actors[index] as Actor, story, doors));
    const ends = await this.playing(players, async () => {
      const plays = players.map((player) => this.play(player));
      await this.untilAllReached(victim, failpoints.length);
      await this.disturb(fault, victim, doors);
      return Promise.all(plays);
    });
    await Promise.all([victim.kill(), this.rescuer?.kill()]);
    const wrong = (
      await this.results(
        stories.map((story) => ({ story, failpoint: '', nth: 0, fault })),
        players,
        ends,
        [],
        NO_TAKEOVERS,
      )
    ).flatMap((result) => result.wrong.map((each) => `${result.story.name}: ${each}`));
    const [story] = stories as [Story];
    const told = new Set(reachedIn(victim.printed).map(({ name }) => name));
    const result = { story, fault, takeoverMs: null, wrong };
    return failpoints.map((failpoint) => ({
      ...result,
      failpoint,
      nth: turnOf(failpoint),
      reached: told.has(failpoint),
    }));
  }

  private async players(stories: readonly Story[], { url }: ServiceProcess): Promise<Player[]> {
    const actors = await Promise.all(stories.map(() => this.world.actor(this.api)));
    return stories.map((story, index) => new Player(this.world, actors[index] as Actor, story, { current: () => url }));
  }

  private play(player: Player): Promise<string[]> {
    return player
      .play(() => this.standings)
      .then(
        () => [],
        (error: unknown) => [(error as Error).message],
      );
  }

  /** Looks at the database for all players at once while they play. */
  private async playing<T>(players: readonly Player[], work: () => Promise<T>): Promise<T> {
    this.looking = true;
    this.standings = new Map();
    const looks = this.lookOn(players.map(({ actor }) => actor.clientId));
    try {
      return await work();
    } finally {
      this.looking = false;
      await looks;
    }
  }

  private async lookOn(clientIds: readonly string[]): Promise<void> {
    while (this.looking) {
      // A drill makes the database go away; it comes back.
      this.standings = await this.world.look(clientIds).catch(() => this.standings);
      await sleep(LOOK_EVERY_MS);
    }
  }

  private async untilAllReached(victim: ServiceProcess, count: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < REACH_MS; waitedMs += LOOK_EVERY_MS) {
      if (new Set(reachedIn(victim.printed).map(({ name }) => name)).size >= count) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  private async untilReached(
    victim: ServiceProcess,
    players: readonly Player[],
    plays: readonly Promise<unknown>[],
  ): Promise<void> {
    let over = 0;
    for (const play of plays) void play.then(() => (over += 1));
    for (let waitedMs = 0; waitedMs < REACH_MS; waitedMs += LOOK_EVERY_MS) {
      const reached = new Set(reachedIn(victim.printed).flatMap(({ clientId }) => clientId ?? []));
      if (over + reached.size >= players.length) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  private disturb(
    fault: Fault,
    victim: ServiceProcess,
    doors: { current: () => string },
  ): Promise<Map<string, number>> {
    switch (fault) {
      case 'kill':
      case 'kill_after':
        return this.killed(victim, doors);
      case 'pause':
      case 'pause_after':
        return this.paused(victim, doors);
      case 'read_only':
        return this.readOnly(victim);
      default:
        return Promise.resolve(new Map<string, number>()); // The process has cut its wires itself, and goes on.
    }
  }

  private async killed(victim: ServiceProcess, doors: { current: () => string }): Promise<Map<string, number>> {
    const held = await this.inHand();
    doors.current = () => this.api.url;
    await victim.kill();
    const killedAtMs = performance.now();
    const [, takeovers] = await Promise.all([this.rescue(), this.takenOver(held, killedAtMs)]);
    return takeovers;
  }

  /** A zombie: stopped past its lease, everything taken over meanwhile, and then it goes on as if nothing had been. */
  private async paused(victim: ServiceProcess, doors: { current: () => string }): Promise<Map<string, number>> {
    const held = await this.inHand();
    doors.current = () => this.api.url;
    victim.signal('SIGSTOP');
    const stoppedAtMs = performance.now();
    const [, takeovers] = await Promise.all([this.rescue(), this.takenOver(held, stoppedAtMs)]);
    await sleep(Math.max(0, PAST_LEASE_MS - (performance.now() - stoppedAtMs)));
    victim.signal('SIGCONT');
    victim.signal('SIGUSR2');
    return takeovers;
  }

  /** A failover to a standby that is not promoted yet: connections break, and new ones can only read. */
  private async readOnly(victim: ServiceProcess): Promise<Map<string, number>> {
    await this.world.failOver(true);
    victim.signal('SIGUSR2');
    await sleep(READ_ONLY_MS);
    await this.world.failOver(false);
    return new Map();
  }

  private async rescue(): Promise<void> {
    this.rescuer = await this.world.start();
  }

  private async inHand(): Promise<Standing[]> {
    const looked = await this.world.look([...this.standings.keys()]);
    return [...looked.values()].filter(({ isLeased }) => isLeased);
  }

  /** Milliseconds from `sinceMs` until each was claimed by somebody else. */
  private async takenOver(held: readonly Standing[], sinceMs: number): Promise<Map<string, number>> {
    const taken = new Map<string, number>();
    while (taken.size < held.length && performance.now() - sinceMs < 2 * PAST_LEASE_MS) {
      for (const { clientId, id, leaseToken } of held) {
        const now = this.standings.get(clientId);
        const isTaken = now !== undefined && (now.id !== id || now.leaseToken > leaseToken);
        if (isTaken && !taken.has(clientId)) taken.set(clientId, performance.now() - sinceMs);
      }
      await sleep(LOOK_EVERY_MS / 3);
    }
    return taken;
  }

  private async results(
    cells: readonly Cell[],
    players: readonly Player[],
    ends: readonly string[][],
    told: readonly Reached[],
    takeovers: ReadonlyMap<string, number>,
  ): Promise<CellResult[]> {
    const standings = await this.world.look(players.map(({ actor }) => actor.clientId));
    return Promise.all(
      cells.map(async (cell, index) => {
        const player = players[index] as Player;
        const { clientId } = player.actor;
        return {
          ...cell,
          reached: told.some((each) => each.clientId === clientId),
          takeoverMs: takeovers.get(clientId) ?? null,
          wrong: [...(ends[index] ?? []), ...(await this.disagreements(player, standings.get(clientId)))],
        };
      }),
    );
  }

  /** The gateway's ledger, the database and the receiver's log, held against the story. */
  private async disagreements(player: Player, standing: Standing | undefined): Promise<string[]> {
    const { story, actor, answers } = player;
    const wrong: string[] = [];
    const charges = await actor.bank.admin.ledger(actor.bank.accountId);
    const collected = charges.filter(({ status }) => status === 'succeeded').length;
    if (collected !== story.collected) wrong.push(`the gateway collected ${collected} times`);
    if (!standing) return [...wrong, 'there is no recovery'];
    if (!story.ends.includes(standing.state)) wrong.push(`it ended as ${standing.state}`);
    for (let place = 0; place < answers.length; place += 2)
      if (answers[place] !== answers[place + 1])
        wrong.push(`two answers to one key: ${firstDifference(answers[place] ?? '', answers[place + 1] ?? '')}`);
    const told = [...player.finalEvents().values()];
    if (new Set(told).size < told.length) wrong.push(`an end was told twice: ${told.join(', ')}`);
    return wrong;
  }
}

interface Reached {
  /** Nobody's: of a loop. */
  clientId?: string;
  name: string;
  count: number;
}

/** What an armed process has told of its failpoints so far. */
function reachedIn(printed: string): Reached[] {
  const lines = printed.split('\n').filter((line) => line.includes('"failpoint.reached"') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as Reached);
}

function firstDifference(one: string, other: string): string {
  const place = [...one].findIndex((letter, index) => letter !== other[index]);
  return `${one.slice(Math.max(0, place - 30), place + 60)} | ${other.slice(Math.max(0, place - 30), place + 60)}`;
}
