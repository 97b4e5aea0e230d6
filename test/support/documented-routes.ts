import { request } from 'undici';

import { contractChecker, type Route } from './contract.js';

export interface Sent {
  headers?: Record<string, string>;
  body?: unknown;
  /** In place of `body`: sent as it stands. */
  raw?: string;
}

export interface Told {
  status: number;
  body: Record<string, unknown>;
}

/** Path parameters of the right form that name nothing. */
const NOBODY: Readonly<Record<string, string>> = {
  transactionId: '0'.repeat(26),
  clientId: `cli_${'0'.repeat(26)}`,
  keyId: `key_${'0'.repeat(26)}`,
  endpointId: `we_${'0'.repeat(26)}`,
  deliveryId: `dlv_${'0'.repeat(26)}`,
  asset: 'nothing.js',
  token: 'A'.repeat(43),
  gateway: 'nowhere',
  code: 'do_not_honor',
  number: '999999999999999',
};

/** The documented path with each parameter naming nothing, but those that `known` gives. */
export function pathOf(path: string, known: Readonly<Record<string, string>> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => known[name] ?? NOBODY[name] ?? name);
}

/** The document's first example of the route's body, so that only the provoked fault can speak. */
export function exampleBody({ method, path }: Route): { body?: unknown } {
  const pointer = ['paths', path, method.toLowerCase(), 'requestBody', 'content', 'application/json', 'examples'];
  const examples = contractChecker().valueAt(pointer) as Record<string, { value: unknown }> | undefined;
  return examples ? { body: Object.values(examples)[0]?.value } : {};
}

/** The routes that document this status. */
export function routesWith(status: string): Route[] {
  return contractChecker()
    .documented()
    .map((line) => line.split(' '))
    .filter((parts) => parts[2] === status)
    .map(([method = '', path = '']) => ({ method, path }));
}

/** Sends one request and holds the answer to the contract. @throws {ContractBreach} */
export async function ask(url: string, { method, path }: Route, { headers = {}, body, raw }: Sent = {}): Promise<Told> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await request(url + path, {
    method: method as 'GET',
    headers: { ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await answer.body.text();
  const isJson = String(answer.headers['content-type']).includes('json');
  const told: unknown = isJson && text !== '' ? JSON.parse(text) : text;
  const { statusCode: status } = answer;
  contractChecker().checkResponse({ method, path, status, headers: answer.headers, body: told });
  return { status, body: told as Record<string, unknown> };
}

/** Provokes one status on each route, and lists the routes that answered another. */
export async function provoke(
  status: string,
  send: (route: Route) => Promise<Told>,
  routes: Route[] = routesWith(status),
): Promise<string[]> {
  const others: string[] = [];
  for (const route of routes) {
    const told = await send(route);
    if (told.status === Number(status)) continue;
    others.push(`${route.method} ${route.path}: ${told.status} ${String(told.body['detail'])}`);
  }
  return others;
}
