import { minorDigitsOf } from '../recovery/money.js';
import { type Alert, type AlertFacts, graver, type Severity } from './alert.js';

/** Money of one currency, in its smallest unit. */
export interface AmountTotal {
  currency: string;
  amountMinor: number;
  count: number;
}

export interface LargestAmount {
  transactionId: string;
  amountMinor: number;
  currency: string;
  bucket: string | null;
}

/** What a message says of many alerts. */
export interface Summary {
  count: number;
  severity: Severity;
  /** Instants as text, for a summary is kept as JSON. */
  firstAt: string | null;
  lastAt: string | null;
  /** By kind, the most frequent first. */
  kinds: { kind: string; count: number }[];
  /** By currency, in alphabetical order. */
  amounts: AmountTotal[];
  /** By decline bucket, the most frequent first. */
  buckets: { bucket: string; count: number }[];
  /** Ten at most. Currencies are compared by their face value: no rate is known here. */
  largest: LargestAmount[];
  /** The facts of the first few, for kinds that are about no money. */
  examples: { alertId: string; kind: string; facts: AlertFacts }[];
}

const LARGEST_MAX = 10;
const EXAMPLES_MAX = 5;

/** Adds alerts up one by one, so that a day of them never has to be in memory. */
export class SummaryBuilder {
  private count = 0;
  private severity: Severity = 'info';
  private firstAt: Date | null = null;
  private lastAt: Date | null = null;
  private readonly kinds = new Map<string, number>();
  private readonly amounts = new Map<string, AmountTotal>();
  private readonly buckets = new Map<string, number>();
  private readonly examples: Summary['examples'] = [];
  private largest: LargestAmount[] = [];

  add({ id, kind, severity, facts, createdAt }: Alert): void {
    this.count += 1;
    this.severity = graver(this.severity, severity);
    if (this.firstAt === null || createdAt < this.firstAt) this.firstAt = createdAt;
    if (this.lastAt === null || createdAt > this.lastAt) this.lastAt = createdAt;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    if (this.examples.length < EXAMPLES_MAX) this.examples.push({ alertId: id, kind, facts: speakableFacts(facts) });
    this.addMoney(facts);
  }

  done(): Summary {
    return {
      count: this.count,
      severity: this.severity,
      firstAt: this.firstAt?.toISOString() ?? null,
      lastAt: this.lastAt?.toISOString() ?? null,
      kinds: byFrequency(this.kinds).map(([kind, count]) => ({ kind, count })),
      amounts: [...this.amounts.values()].sort((one, other) => (one.currency < other.currency ? -1 : 1)),
      buckets: byFrequency(this.buckets).map(([bucket, count]) => ({ bucket, count })),
      largest: this.largest,
      examples: this.examples,
    };
  }

  private addMoney({ amount, currency, bucket, transactionId }: AlertFacts): void {
    if (typeof amount !== 'number' || typeof currency !== 'string' || minorDigitsOf(currency) === null) return;
    const total = this.amounts.get(currency) ?? { currency, amountMinor: 0, count: 0 };
    total.amountMinor += amount;
    total.count += 1;
    this.amounts.set(currency, total);
    const name = typeof bucket === 'string' ? bucket : null;
    this.buckets.set(name ?? 'none', (this.buckets.get(name ?? 'none') ?? 0) + 1);
    if (typeof transactionId !== 'string') return;
    this.largest.push({ transactionId, amountMinor: amount, currency, bucket: name });
    this.largest.sort((one, other) => faceValue(other) - faceValue(one));
    this.largest = this.largest.slice(0, LARGEST_MAX);
  }
}

// Facts are ids, codes and counts by the rule of their table. What has another form is left out all the same: free text
// from a gateway may quote anything.
const SPEAKABLE = /^[\w.:-]{1,64}$/;

/** The facts that a message may hold: numbers, flags, and texts in the form of an id, a code or an instant. */
export function speakableFacts(facts: AlertFacts): AlertFacts {
  const isSpeakable = ([, value]: [string, unknown]) =>
    typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && SPEAKABLE.test(value));
  return Object.fromEntries(Object.entries(facts).filter(isSpeakable));
}

function faceValue({ amountMinor, currency }: LargestAmount): number {
  return amountMinor / 10 ** (minorDigitsOf(currency) ?? 0);
}

function byFrequency(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([one, oneCount], [other, otherCount]) => otherCount - oneCount || (one < other ? -1 : 1));
}
