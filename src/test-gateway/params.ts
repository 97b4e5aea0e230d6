import type { FormParts } from './form-body.js';
import { invalidRequest } from './stripe-refusal.js';

/**
 * Reads parameters by name and type, refusing wrong ones as Stripe does. What nobody has read when
 * `refuseUnknown` is called is an unknown parameter.
 */
export class Params {
  private readonly known = new Set<string>();
  private readonly inner: Params[] = [];
  private readonly hashes = new Map<string, Params>();

  constructor(
    private readonly parts: FormParts,
    private readonly path = '',
  ) {}

  /** The text, or undefined when absent. An empty text is Stripe's way to unset a value; it comes as ''. */
  text(name: string): string | undefined {
    this.known.add(name);
    const value = this.parts.get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw invalidRequest(`Invalid string: ${this.named(name)}`, { param: this.named(name) });
  }

  /** As `text`, where an empty text counts as absent. */
  filled(name: string): string | undefined {
    const value = this.text(name);
    return value === '' ? undefined : value;
  }

  required(name: string): string {
    const value = this.filled(name);
    if (value !== undefined) return value;
    const param = this.named(name);
    throw invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }

  integer(name: string): number | undefined {
    const value = this.filled(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (/^-?\d{1,15}$/.test(value) && Number.isSafeInteger(number)) return number;
    throw invalidRequest(`Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param: this.named(name) });
  }

  requiredInteger(name: string): number {
    this.required(name);
    return this.integer(name) ?? 0;
  }

  flag(name: string): boolean | undefined {
    const value = this.filled(name);
    if (value === undefined) return undefined;
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalidRequest(`Invalid boolean: ${value}`, { param: this.named(name) });
  }

  oneOf<const Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.filled(name);
    if (value === undefined) return undefined;
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    const param = this.named(name);
    throw invalidRequest(`Invalid ${param}: must be one of ${words.join(', ')}`, { param });
  }

  /** The parts below a name, or undefined when absent. */
  child(name: string): Params | undefined {
    this.known.add(name);
    const value = this.parts.get(name);
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string') throw invalidRequest('Invalid object', { param: this.named(name) });
    // The same object each time, for it remembers which of its parts were read.
    const child = this.hashes.get(name) ?? this.below(value, this.named(name));
    this.hashes.set(name, child);
    return child;
  }

  /** A list of parts, in their order. */
  children(name: string): Params[] {
    this.known.add(name);
    const value = this.parts.get(name);
    if (value === undefined || value === '') return [];
    const items = typeof value === 'string' ? [value] : inOrder(value);
    return items.map((item, index) => {
      if (typeof item === 'string') throw invalidRequest('Invalid object', { param: this.named(name) });
      return this.below(item, `${this.named(name)}[${index}]`);
    });
  }

  /** A list of texts, in their order. */
  texts(name: string): string[] {
    this.known.add(name);
    const value = this.parts.get(name);
    if (value === undefined || value === '') return [];
    const items = typeof value === 'string' ? [value] : inOrder(value);
    return items.map((item) => {
      if (typeof item === 'string') return item;
      throw invalidRequest('Invalid array', { param: this.named(name) });
    });
  }

  /** Metadata laid over what stood there: an empty value takes a key away. */
  metadata(before: Record<string, string>): Record<string, string> {
    const given = this.child('metadata');
    if (given === undefined) return this.parts.get('metadata') === '' ? {} : before;
    const merged = new Map(Object.entries(before));
    for (const name of given.parts.keys()) {
      const value = given.text(name) ?? '';
      if (value === '') merged.delete(name);
      else merged.set(name, value);
    }
    return Object.fromEntries(merged);
  }

  has(name: string): boolean {
    this.known.add(name);
    return this.parts.has(name);
  }

  /** Whether the name holds parts of its own, such as `created[gte]`. */
  isNested(name: string): boolean {
    return this.parts.get(name) instanceof Map;
  }

  /** Names parameters that Stripe takes and that change nothing here. */
  ignore(...names: string[]): void {
    for (const name of names) this.known.add(name);
  }

  /** @throws {StripeRefusal} `parameter_unknown` for the first parameter that was never asked for. */
  refuseUnknown(): void {
    for (const name of this.parts.keys()) {
      if (this.known.has(name)) continue;
      const param = this.named(name);
      throw invalidRequest(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param });
    }
    for (const child of this.inner) child.refuseUnknown();
  }

  private below(parts: FormParts, path: string): Params {
    const child = new Params(parts, path);
    this.inner.push(child);
    return child;
  }

  private named(name: string): string {
    return this.path === '' ? name : `${this.path}[${name}]`;
  }
}

function inOrder(parts: FormParts) {
  return [...parts].sort(([a], [b]) => Number(a) - Number(b)).map(([, value]) => value);
}
