import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export type JsonObject = Record<string, unknown>;

/** One object of the document and where it stands once references are followed. */
export interface Place {
  pointer: string[];
  value: JsonObject;
}

/** Reads the document by pointer, follows its references, and validates values against the schemas in it. */
export class ContractDocument {
  private readonly ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    // Narrowing a composed body (`allOf` and a `const` beside it) repeats neither the type nor the property.
    strictTypes: false,
    strictRequired: false,
  });
  private readonly compiled = new Map<string, ValidateFunction>();

  constructor(readonly document: JsonObject) {
    addFormats.default(this.ajv);
    // The document is no schema itself, but schemas are found in it by pointer; strict mode must know its members.
    this.ajv.addVocabulary(Object.keys(document));
    this.ajv.addSchema(document, 'openapi.yaml', undefined, false);
  }

  has(pointer: readonly string[]): boolean {
    return this.lookUp(pointer) !== undefined;
  }

  /** @throws when there is nothing at that place. */
  at(pointer: readonly string[]): Place {
    const found = this.lookUp(pointer);
    if (!found || !isObject(found.value)) throw new Error(`openapi.yaml has no object at ${asFragment(pointer)}`);
    return { pointer: found.pointer, value: found.value };
  }

  list(pointer: readonly string[]): Place[] {
    const found = this.lookUp(pointer);
    if (!found || !Array.isArray(found.value)) return [];
    return found.value.map((_, index) => this.at([...found.pointer, String(index)]));
  }

  problems(pointer: readonly string[], value: unknown): string[] {
    const fragment = asFragment(pointer);
    const validate = this.compiled.get(fragment) ?? this.ajv.compile({ $ref: `openapi.yaml${fragment}` });
    this.compiled.set(fragment, validate);
    return validate(value) ? [] : (validate.errors ?? []).map(describe);
  }

  /** Headers, query and path values are text; a number's schema gets the number. */
  textProblems(pointer: readonly string[], text: string): string[] {
    const isInteger = this.at(pointer).value['type'] === 'integer' && /^-?[0-9]+$/.test(text);
    return this.problems(pointer, isInteger ? Number(text) : text);
  }

  private lookUp(pointer: readonly string[]): { pointer: string[]; value: unknown } | undefined {
    let here: { pointer: string[]; value: unknown } = { pointer: [], value: this.document };
    for (const token of pointer) {
      const held = here.value;
      if (typeof held !== 'object' || held === null || !Object.hasOwn(held, token)) return undefined;
      here = this.follow({ pointer: [...here.pointer, token], value: (held as JsonObject)[token] });
    }
    return here;
  }

  private follow(place: { pointer: string[]; value: unknown }): { pointer: string[]; value: unknown } {
    const reference = isObject(place.value) ? place.value['$ref'] : undefined;
    // A schema's reference may have neighbours that narrow it: the validator follows that one itself.
    if (typeof reference !== 'string' || place.pointer.at(-1) === 'schema') return place;
    const target = reference
      .slice(2)
      .split('/')
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    return this.lookUp(target) ?? place;
  }
}

function describe({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath === '' ? '/' : instancePath}: ${message ?? 'is wrong'} ${JSON.stringify(params)}`;
}

function asFragment(pointer: readonly string[]): string {
  const tokens = pointer.map((token) => encodeURIComponent(token.replaceAll('~', '~0').replaceAll('/', '~1')));
  return `#/${tokens.join('/')}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
