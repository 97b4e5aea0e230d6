import { declareField, type FieldClass, type FieldRule } from './field-rules.js';

/** Said of any field. A field is optional unless it is required, and `null` is no value unless it is nullable. */
export interface FieldOptions {
  required?: true;
  nullable?: true;
  /** In place of `invalid_field`. */
  code?: string;
  /** In place of the rule's own words for what is taken. */
  accepted?: string;
}

interface TextOptions extends FieldOptions {
  /** Characters (UTF-16 units). */
  max: number;
  /** 1 unless given: an empty text names nothing. */
  min?: number;
  pattern?: RegExp;
  /** Further conditions; say them in `accepted`. */
  check?: (text: string) => boolean;
}

/** A string. Give `accepted` with every `pattern` or `check`. */
export function Text(options: TextOptions): PropertyDecorator {
  const { max, min = 1 } = options;
  return declareField(
    rule('text', options, `a string of ${min} to ${max} characters`, (value) => isText(value, options)),
  );
}

/** A whole number, both bounds included. */
export function Integer(options: FieldOptions & { min: number; max: number }): PropertyDecorator {
  const { min, max } = options;
  const check = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
  return declareField(rule('integer', options, `an integer from ${min} to ${max}`, check));
}

/** One of a few words. */
export function OneOf(words: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  const check = (value: unknown) => typeof value === 'string' && words.includes(value);
  return declareField(rule('choice', options, `one of ${words.join(', ')}`, check));
}

/** true or false. */
export function Flag(options: FieldOptions = {}): PropertyDecorator {
  return declareField(rule('flag', options, 'true or false', (value) => typeof value === 'boolean'));
}

/** An instant with its offset, such as `2026-11-21T09:30:00.000Z`; the field stays text, `instantOf` reads it. */
export function Instant(options: FieldOptions = {}): PropertyDecorator {
  const accepted = 'an ISO 8601 instant with its offset, such as 2026-11-21T09:30:00.000Z';
  return declareField(rule('instant', options, accepted, isInstant));
}

/** A list of strings. */
export function TextList(
  options: FieldOptions & { max: number; each: Omit<TextOptions, keyof FieldOptions> },
): PropertyDecorator {
  const { max, each } = options;
  const check = (value: unknown) =>
    Array.isArray(value) && value.length <= max && value.every((one) => isText(one, each));
  return declareField(
    rule('list', options, `up to ${max} strings of ${each.min ?? 1} to ${each.max} characters`, check),
  );
}

const PAIR_NAME_MAX = 40;
const PAIR_VALUE_MAX = 500;

/** An object of strings with names of the caller's own. The lengths are those of Stripe's metadata. */
export function StringPairs(max: number, options: FieldOptions = {}): PropertyDecorator {
  const accepted = `an object of at most ${max} strings (names to ${PAIR_NAME_MAX}, values to ${PAIR_VALUE_MAX} characters)`;
  return declareField(rule('pairs', options, accepted, (value) => isPairs(value, max)));
}

/** An object or a list whose parts the domain checks itself, naming each: here only its outer form. */
export function Table(form: 'object' | 'list', options: FieldOptions & { accepted: string }): PropertyDecorator {
  const check = form === 'list' ? (value: unknown) => Array.isArray(value) : isPlainObject;
  return declareField(rule('table', options, options.accepted, check));
}

/** An object with fields of its own. */
export function Nested(item: () => FieldClass, options: FieldOptions = {}): PropertyDecorator {
  return declareField({ ...rule('nested', options, 'an object', isPlainObject), item });
}

/** A list of objects with fields of their own. */
export function NestedList(
  item: () => FieldClass,
  options: FieldOptions & { max: number; min?: number },
): PropertyDecorator {
  const { max, min = 0 } = options;
  const check = (value: unknown) =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every(isPlainObject);
  return declareField({ ...rule('nested_list', options, `a list of ${min} to ${max} objects`, check), item });
}

const INSTANT = /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** True for an instant that exists: 30 February does not, though `Date` would read it as 2 March. */
export function isInstant(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const day = INSTANT.exec(value)?.[1];
  if (day === undefined || Number.isNaN(new Date(value).getTime())) return false;
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/** The instant a checked field holds. */
export function instantOf(text: string): Date;
export function instantOf(text: string | null | undefined): Date | null;
export function instantOf(text: string | null | undefined): Date | null {
  return text == null ? null : new Date(text);
}

function rule(kind: FieldRule['kind'], options: FieldOptions, accepted: string, check: FieldRule['check']): FieldRule {
  return {
    kind,
    required: options.required ?? false,
    nullable: options.nullable ?? false,
    code: options.code ?? 'invalid_field',
    accepted: (options.accepted ?? accepted) + (options.nullable ? ', or null' : ''),
    check,
  };
}

function isText(value: unknown, { min = 1, max, pattern, check }: TextOptions): boolean {
  if (typeof value !== 'string' || value.length < min || value.length > max) return false;
  return (pattern?.test(value) ?? true) && (check?.(value) ?? true);
}

function isPairs(value: unknown, max: number): boolean {
  if (!isPlainObject(value)) return false;
  const pairs = Object.entries(value as Record<string, unknown>);
  return pairs.length <= max && pairs.every(isPair);
}

function isPair([name, value]: [string, unknown]): boolean {
  return (
    name.length >= 1 && name.length <= PAIR_NAME_MAX && typeof value === 'string' && value.length <= PAIR_VALUE_MAX
  );
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
