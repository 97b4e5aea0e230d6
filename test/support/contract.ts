import { readFileSync } from 'node:fs';

import { parse } from 'yaml';

import { ContractDocument, isObject, type JsonObject } from './contract-document.js';

/** Header values as node:http, undici and supertest give them; names are compared without case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface SeenResponse {
  method: string;
  /** As it was requested; a query is allowed and ignored here. */
  path: string;
  status: number;
  headers: Headers;
  /** Parsed JSON; text for other media types; undefined, null, '' or {} where there was no body. */
  body: unknown;
}

export interface SeenRequest {
  method: string;
  /** With its query. */
  path: string;
  headers?: Headers;
  body?: unknown;
}

export interface Route {
  /** Upper case. */
  method: string;
  /** With its parameters in braces, as `openapi.yaml` writes it. */
  path: string;
}

/** What differs from `openapi.yaml`, each with its JSON path. */
export class ContractBreach extends Error {
  constructor(where: string, problems: readonly string[]) {
    super(`${where} breaks openapi.yaml:\n  ${problems.slice(0, 12).join('\n  ')}`);
    this.name = 'ContractBreach';
  }
}

interface Operation {
  path: string;
  pointer: string[];
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const PROBLEM = ['components', 'schemas', 'Problem'];

let shared: ContractChecker | undefined;

/** The checker of `openapi.yaml`, one for the whole test file: parsing it takes a good part of a second. */
export function contractChecker(): ContractChecker {
  const text = () => readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
  shared ??= new ContractChecker(parse(text()) as JsonObject);
  return shared;
}

/** Holds requests, answers and webhooks to an OpenAPI 3.1 document. */
export class ContractChecker {
  private readonly contract: ContractDocument;
  private readonly paths: { path: string; matches: RegExp }[];
  private readonly accepted = new Set<string>();

  constructor(readonly document: JsonObject) {
    this.contract = new ContractDocument(document);
    this.paths = Object.keys(this.contract.at(['paths']).value).map((path) => ({ path, matches: pattern(path) }));
  }

  /** @throws {ContractBreach} when the answer is not what the document says of this route and status. */
  checkResponse({ method, path, status, headers, body }: SeenResponse): void {
    const where = `${method.toUpperCase()} ${path} ${status}`;
    const operation = this.operation(method, path);
    if (!operation) {
      // A route that does not exist answers a problem like any other refusal; anything else comes from a hidden route.
      if (status !== 404 && status !== 405) throw new ContractBreach(where, ['the route is not documented']);
      report(where, this.contract.problems(PROBLEM, body));
      return;
    }
    const at = [...operation.pointer, 'responses', String(status)];
    if (!this.contract.has(at)) throw new ContractBreach(where, ['the status is not documented']);
    const { pointer } = this.contract.at(at);
    const given = lowerCase(headers);
    const problems = this.bodyProblems(pointer, given.get('content-type'), body);
    report(where, [...this.headerProblems(pointer, given), ...problems]);
    this.accepted.add(`${method.toUpperCase()} ${operation.path} ${status}`);
  }

  /** For requests that are meant to be right. @throws {ContractBreach} */
  checkRequest({ method, path, headers = {}, body }: SeenRequest): void {
    const where = `${method.toUpperCase()} ${path}`;
    const operation = this.operation(method, path);
    if (!operation) throw new ContractBreach(where, ['the route is not documented']);
    const { pointer } = operation;
    report(where, [
      ...this.parameterProblems(pointer, 'path', pathValues(operation.path, path)),
      ...this.parameterProblems(pointer, 'query', new Map(new URL(path, 'http://localhost').searchParams)),
      ...this.parameterProblems(pointer, 'header', lowerCase(headers)),
      ...this.requestBodyProblems(pointer, body),
    ]);
  }

  /**
   * Checks an event as a merchant receives it, and its headers where they are given.
   * @throws {ContractBreach} when the event is not documented or its body or a header is not what the document says of it.
   */
  checkWebhook(body: unknown, headers?: Headers): void {
    const event = isObject(body) && typeof body['event'] === 'string' ? body['event'] : '';
    const pointer = ['webhooks', event, 'post'];
    if (!this.contract.has(pointer)) throw new ContractBreach(`webhook '${event}'`, ['/event: is not documented']);
    const problems = this.requestBodyProblems(pointer, body);
    if (headers) problems.push(...this.parameterProblems(pointer, 'header', lowerCase(headers)));
    report(`webhook ${event}`, problems);
  }

  /** Every route of the document. */
  routes(): Route[] {
    const methodsOf = (path: string) => METHODS.filter((method) => this.contract.has(['paths', path, method]));
    return this.paths.flatMap(({ path }) => methodsOf(path).map((method) => ({ method: method.toUpperCase(), path })));
  }

  /** Every `METHOD /path status` of the document. */
  documented(): string[] {
    return this.routes().flatMap(({ method, path }) => {
      const responses = this.contract.at(['paths', path, method.toLowerCase(), 'responses']);
      return Object.keys(responses.value).map((status) => `${method} ${path} ${status}`);
    });
  }

  /** Those of `documented()` that `checkResponse` has accepted so far, in this process. */
  seen(): ReadonlySet<string> {
    return this.accepted;
  }

  /** What is wrong with this value by the schema at this place of the document; empty when it fits. */
  problemsAt(pointer: readonly string[], value: unknown): string[] {
    return this.contract.problems(this.contract.at(pointer).pointer, value);
  }

  /** What stands at this place of the document, references followed; undefined when nothing does. */
  valueAt(pointer: readonly string[]): unknown {
    return this.contract.has(pointer) ? this.contract.at(pointer).value : undefined;
  }

  /** Literal segments win over parameters, as they do in the router. */
  private operation(method: string, url: string): Operation | null {
    const asked = url.split('?')[0] ?? '';
    const fitting = this.paths.filter(({ matches }) => matches.test(asked));
    const found = fitting.find(({ path }) => !path.includes('{')) ?? fitting[0];
    if (!found) return null;
    const pointer = ['paths', found.path, method.toLowerCase()];
    return this.contract.has(pointer) ? { path: found.path, pointer } : null;
  }

  /** Of the parameters in one place. Query fields that are not documented count, headers that are not do not. */
  private parameterProblems(operation: readonly string[], place: string, given: Map<string, string>): string[] {
    const shared = this.contract.list([...operation.slice(0, -1), 'parameters']);
    const declared = [...this.contract.list([...operation, 'parameters']), ...shared];
    const here = declared.filter(({ value }) => value['in'] === place);
    const problems = here.flatMap(({ pointer, value }) => {
      const name = String(value['name']);
      const text = given.get(place === 'header' ? name.toLowerCase() : name);
      return this.textProblems(`${place} ${name}`, pointer, value['required'] === true, text);
    });
    const names = new Set(here.map(({ value }) => value['name']));
    const unknown = place === 'query' ? [...given.keys()].filter((name) => !names.has(name)) : [];
    return [...problems, ...unknown.map((name) => `query ${name}: is not documented`)];
  }

  private headerProblems(response: readonly string[], given: Map<string, string>): string[] {
    const at = [...response, 'headers'];
    if (!this.contract.has(at)) return [];
    return Object.keys(this.contract.at(at).value).flatMap((name) => {
      const { pointer, value } = this.contract.at([...at, name]);
      return this.textProblems(`header ${name}`, pointer, value['required'] === true, given.get(name.toLowerCase()));
    });
  }

  private textProblems(what: string, pointer: string[], isRequired: boolean, text: string | undefined): string[] {
    if (text === undefined) return isRequired ? [`${what}: is missing`] : [];
    return this.contract.textProblems([...pointer, 'schema'], text).map((problem) => `${what}: ${problem}`);
  }

  private requestBodyProblems(operation: readonly string[], body: unknown): string[] {
    const at = [...operation, 'requestBody'];
    if (!this.contract.has(at)) return body === undefined ? [] : ['/: has a body where none is documented'];
    const { pointer, value } = this.contract.at(at);
    if (body === undefined && value['required'] !== true) return [];
    return this.bodyProblems(pointer, 'application/json', body);
  }

  private bodyProblems(pointer: readonly string[], contentType: string | undefined, body: unknown): string[] {
    const at = [...pointer, 'content'];
    if (!this.contract.has(at)) return isEmpty(body) ? [] : ['/: has a body where none is documented'];
    const mediaType = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
    if (!this.contract.has([...at, mediaType])) return [`content-type '${mediaType}': is not documented`];
    return this.contract.problems([...at, mediaType, 'schema'], body);
  }
}

function report(where: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new ContractBreach(where, problems);
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function pathValues(template: string, url: string): Map<string, string> {
  const values = (url.split('?')[0] ?? '').split('/');
  const parts = template.split('/').map((part, index) => [part, values[index] ?? ''] as const);
  const named = parts.filter(([part]) => part.startsWith('{'));
  return new Map(named.map(([part, value]) => [part.slice(1, -1), decodeURIComponent(value)]));
}

function lowerCase(headers: Headers): Map<string, string> {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  return new Map(given.map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')]));
}

/** Clients of HTTP give an absent body as undefined, null, an empty text or an empty object. */
function isEmpty(body: unknown): boolean {
  return body === undefined || body === null || body === '' || (isObject(body) && Object.keys(body).length === 0);
}
