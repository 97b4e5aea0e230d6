import { invalidRequest } from './stripe-refusal.js';

/** A decoded form: a text, or named parts. A list is parts named 0, 1, 2 … */
export type FormValue = string | FormParts;
export type FormParts = Map<string, FormValue>;

const PARTS_MAX = 1000;
const DEPTH_MAX = 8;

/**
 * Reads Stripe's form encoding: `card[exp_month]=12&expand[0]=latest_charge&types[]=a`.
 * @throws {StripeRefusal} 400 when it is malformed, too deep, too long, or names one thing twice.
 */
export function parseForm(text: string): FormParts {
  const form: FormParts = new Map();
  if (/%00|\0/.test(text)) throw invalidRequest('A parameter holds the character NUL.');
  const pairs = [...new URLSearchParams(text)];
  if (pairs.length > PARTS_MAX) throw invalidRequest(`Too many parameters: at most ${PARTS_MAX}.`);
  for (const [name, value] of pairs) place(form, pathOf(name), value, name);
  return form;
}

function pathOf(name: string): string[] {
  const opening = name.indexOf('[');
  if (opening === -1) return [name];
  const rest = name.slice(opening);
  if (opening === 0 || !/^(\[[^[\]]*\])+$/.test(rest)) throw invalidRequest(`Invalid parameter name: ${name}`);
  const path = [name.slice(0, opening), ...rest.slice(1, -1).split('][')];
  if (path.length > DEPTH_MAX) throw invalidRequest(`Parameters are nested too deeply: ${name}`);
  return path;
}

function place(form: FormParts, path: string[], value: string, name: string): void {
  let parts = form;
  for (const [index, step] of path.entries()) {
    // `types[]=a&types[]=b` numbers its parts by itself.
    const key = step === '' ? String(parts.size) : step;
    const found = parts.get(key);
    if (index === path.length - 1) {
      if (found !== undefined) throw invalidRequest(`Parameter given twice: ${name}`);
      parts.set(key, value);
      return;
    }
    if (typeof found === 'string') throw invalidRequest(`Invalid hash: ${name}`);
    const next: FormParts = found ?? new Map<string, FormValue>();
    parts.set(key, next);
    parts = next;
  }
}

/** One text for all spellings of the same parameters, whatever their order: what an idempotency key is compared by. */
export function canonicalForm(parts: FormParts): string {
  const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    sorted.map(([name, value]) => [name, typeof value === 'string' ? value : canonicalForm(value)]),
  );
}
