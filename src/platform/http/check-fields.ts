import { validateSync, type ValidationError } from 'class-validator';

import { badFields, type FieldProblem } from './domain-error.js';
import { type FieldClass, type FieldRule, rulesOf, UNKNOWN_FIELD } from './field-rules.js';
import { fieldPath } from './text-guard.js';

export type Checked<T> = { kind: 'ok'; value: T } | { kind: 'refused'; problems: FieldProblem[] };

/**
 * Holds a parsed body to its class. Nothing is converted: "5" is no integer. Fields that the class does not declare are
 * refused, and no problem repeats what was sent.
 */
export function checkFields<T extends object>(shape: new () => T, body: unknown): Checked<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { kind: 'refused', problems: [NO_OBJECT] };
  const value = instantiate(shape, body) as T;
  const errors = validateSync(value, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false },
  });
  if (errors.length === 0) return { kind: 'ok', value };
  return { kind: 'refused', problems: errors.flatMap((error) => problemsOf(error, shape, '')) };
}

/** The same for a query, whose numbers and flags are text. */
export function checkQuery<T extends object>(shape: new () => T, query: Record<string, unknown>): Checked<T> {
  const rules = rulesOf(shape);
  const read = Object.entries(query).map(([name, text]) => [name, readQueryText(rules.get(name), text)] as const);
  return checkFields(shape, Object.fromEntries(read));
}

/** @throws {DomainError} 400 naming every refused field. */
export function accept<T>(checked: Checked<T>): T {
  if (checked.kind === 'refused') throw badFields(checked.problems);
  return checked.value;
}

const NO_OBJECT: FieldProblem = {
  field: 'body',
  code: 'invalid_json',
  message: 'is no JSON object',
  accepted: 'a JSON object',
};

function instantiate(shape: FieldClass, source: object): object {
  const rules = rulesOf(shape);
  const fields = Object.entries(source).map(([name, value]: [string, unknown]) => {
    const item = rules.get(name)?.item;
    return [name, item ? instantiateItems(item(), value) : value] as const;
  });
  return Object.assign(new shape(), Object.fromEntries(fields));
}

function instantiateItems(shape: FieldClass, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => instantiateItems(shape, each));
  return typeof value === 'object' && value !== null ? instantiate(shape, value) : value;
}

/** class-validator reports an object's errors as a tree, in which a list's places are properties of their own. */
function problemsOf(error: ValidationError, shape: FieldClass, parent: string): FieldProblem[] {
  const path = fieldPath(parent, error.property);
  const rule = rulesOf(shape).get(error.property);
  const own = error.constraints ? [problemOf(error, rule, path)] : [];
  const item = rule?.item?.();
  if (!item) return own;
  const below = (error.children ?? []).flatMap((child) =>
    rule?.kind === 'nested_list'
      ? (child.children ?? []).flatMap((each) => problemsOf(each, item, `${path}[${child.property}]`))
      : problemsOf(child, item, path),
  );
  return [...own, ...below];
}

function problemOf(error: ValidationError, rule: FieldRule | undefined, field: string): FieldProblem {
  if (!rule || error.constraints?.[UNKNOWN_FIELD] !== undefined) {
    return { field, code: 'unknown_field', message: 'is not known here', accepted: 'the fields of /openapi.yaml' };
  }
  const { accepted } = rule;
  if (error.value === undefined) return { field, code: 'missing_field', message: 'is required', accepted };
  return { field, code: rule.code, message: `must be ${accepted}`, accepted };
}

function readQueryText(rule: FieldRule | undefined, text: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (rule?.kind === 'integer') return /^(0|-?[1-9]\d{0,15})$/.test(text) ? Number(text) : text;
  if (rule?.kind === 'flag') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}
