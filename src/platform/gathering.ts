/** Nobody waits longer than this for those before it: one connection that hangs must not hold up what comes behind. */
const PATIENCE_MS = 1_000;

/** What is asked for, and who waits for its result. */
interface Waiting<Item, Result> {
  item: Item;
  apart: readonly string[];
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Does together what is asked for while the last of its kind is still being done. Nothing waits for a timer: what comes alone
 * is done at once, and a storm in few turns. Where a set fails, each of it is done alone, beside the sets that follow, so that
 * one can neither make its neighbours fail nor let them wait; unless `failsAll` says that the error is nobody's own.
 */
export class Gathering<Item, Result> {
  private readonly waiting = new Map<string, Waiting<Item, Result>[]>();
  private readonly busy = new Set<string>();

  constructor(
    /** Answers one result for each, in their order. */
    private readonly work: (items: readonly [Item, ...Item[]]) => Promise<readonly Result[]>,
    private readonly alone: (item: Item) => Promise<Result>,
    private readonly failsAll: (error: unknown) => boolean,
    private readonly countMax: number,
  ) {}

  /** Only what is of one `kind` is done together, and never two that share one of the names in `apart`. */
  add(kind: string, apart: readonly string[], item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const queue = this.waiting.get(kind) ?? [];
      queue.push({ item, apart, resolve, reject });
      this.waiting.set(kind, queue);
      if (!this.busy.has(kind)) void this.drain(kind);
    });
  }

  private async drain(kind: string): Promise<void> {
    this.busy.add(kind);
    // What is asked for in this same moment joins the first set.
    await Promise.resolve();
    for (let set = this.next(kind); set; set = this.next(kind)) await patiently(this.doAll(set));
    this.busy.delete(kind);
  }

  /** Those longest waiting that may go together; null when nothing waits. */
  private next(kind: string): [Waiting<Item, Result>, ...Waiting<Item, Result>[]] | null {
    const queue = this.waiting.get(kind) ?? [];
    const taken: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    const names = new Set<string>();
    for (const each of queue) {
      const isApart = each.apart.some((name) => names.has(name));
      (isApart || taken.length === this.countMax ? left : taken).push(each);
      for (const name of each.apart) names.add(name);
    }
    if (left.length === 0) this.waiting.delete(kind);
    else this.waiting.set(kind, left);
    const [first, ...others] = taken;
    return first ? [first, ...others] : null;
  }

  private async doAll(set: readonly [Waiting<Item, Result>, ...Waiting<Item, Result>[]]): Promise<void> {
    const [first, ...others] = set;
    try {
      const results = await this.work([first.item, ...others.map(({ item }) => item)]);
      set.forEach(({ resolve }, place) => resolve(results[place] as Result));
    } catch (error) {
      if (this.failsAll(error)) for (const { reject } of set) reject(error);
      else for (const { item, resolve, reject } of set) this.alone(item).then(resolve, reject);
    }
  }
}

/** Resolves when the work has ended, or has taken too long. */
function patiently(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    void work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
