import { registerDecorator, ValidateNested, ValidationTypes } from 'class-validator';

export type FieldClass = new () => object;

/** What one field of a body or query takes. */
export interface FieldRule {
  /** Names the constraint; a query's `integer` and `flag` are read from text. */
  kind: 'text' | 'integer' | 'choice' | 'flag' | 'instant' | 'list' | 'pairs' | 'table' | 'nested' | 'nested_list';
  required: boolean;
  /** `null` is taken, to say "none". */
  nullable: boolean;
  /** In words, for whoever sent something else. */
  accepted: string;
  /** The code of a refusal; `invalid_field` unless the contract names another. */
  code: string;
  check: (value: unknown) => boolean;
  /** The class of nested objects. */
  item?: () => FieldClass;
}

const RULES = new WeakMap<object, Map<string, FieldRule>>();

// Filled at the first question: by then every decorator of the class has run.
const WITH_INHERITED = new WeakMap<object, ReadonlyMap<string, FieldRule>>();

/** Declares a field by its rule: to class-validator, which judges it, and to `check-fields.ts`, which reads it. */
export function declareField(rule: FieldRule): PropertyDecorator {
  return (target, property) => {
    const owner = target.constructor;
    const name = String(property);
    const rules = RULES.get(owner) ?? new Map<string, FieldRule>();
    RULES.set(owner, rules.set(name, rule));

    registerDecorator({
      name: rule.kind,
      target: owner,
      propertyName: name,
      options: { message: `must be ${rule.accepted}` },
      validator: { validate: (value: unknown) => isTaken(rule, value) },
    });
    if (rule.item) ValidateNested()(target, property);
  };
}

/** The rules of a class and of those it extends. */
export function rulesOf(owner: FieldClass): ReadonlyMap<string, FieldRule> {
  const known = WITH_INHERITED.get(owner);
  if (known) return known;
  const parent = Object.getPrototypeOf(owner) as object | null;
  const inherited = typeof parent === 'function' && 'prototype' in parent ? rulesOf(parent as FieldClass) : [];
  const rules = new Map([...inherited, ...(RULES.get(owner) ?? [])]);
  WITH_INHERITED.set(owner, rules);
  return rules;
}

/** The constraint that class-validator reports for a field no rule speaks of. */
export const UNKNOWN_FIELD = ValidationTypes.WHITELIST;

function isTaken(rule: FieldRule, value: unknown): boolean {
  if (value === undefined) return !rule.required;
  if (value === null) return rule.nullable;
  return rule.check(value);
}
