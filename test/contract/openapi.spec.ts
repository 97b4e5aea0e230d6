import { fileURLToPath } from 'node:url';

import SwaggerParser from '@apidevtools/swagger-parser';
import { describe, expect, it } from '@jest/globals';

import { KEY_KINDS } from '../../src/clients/caller.js';
import { NOTIFICATION_CHANNELS } from '../../src/clients/client-settings.js';
import { END_REASONS, STATES } from '../../src/recovery/facts.js';
import { composeTestEvent } from '../../src/webhooks/event-body.js';
import { EVENT_TYPES } from '../../src/webhooks/event-types.js';
import { ContractBreach, ContractChecker, contractChecker } from '../support/contract.js';
import { isObject, type JsonObject } from '../support/contract-document.js';

const checker = contractChecker();
const at = (...pointer: string[]): unknown =>
  pointer.reduce<unknown>((held, token) => (held as JsonObject)[token], checker.document);

/** Every object of the document with the pointer that leads to it; examples are values and not looked into. */
function* objects(value: unknown, pointer: string[] = []): Generator<{ pointer: string[]; value: JsonObject }> {
  if (Array.isArray(value))
    for (const [index, part] of value.entries()) yield* objects(part, [...pointer, String(index)]);
  if (!isObject(value)) return;
  yield { pointer, value };
  for (const [key, part] of Object.entries(value)) {
    if (key !== 'examples' && key !== 'example') yield* objects(part, [...pointer, key]);
  }
}

const all = [...objects(checker.document)];
const schemas = all.filter(({ pointer }) => isSchema(pointer));

/** A schema stands under `schema`, in `components.schemas`, or under a keyword of another schema. */
function isSchema(pointer: readonly string[]): boolean {
  const start = pointer.indexOf('schema') >= 0 ? pointer.indexOf('schema') : pointer[1] === 'schemas' ? 2 : -1;
  if (start < 0 || pointer.length <= start) return false;
  const inside = pointer.slice(start + 1);
  const keywords = ['properties', 'allOf', 'anyOf', 'oneOf'];
  return (
    inside.every((token, index) => {
      const under = inside[index - 1] ?? '';
      return (
        keywords.includes(token) ||
        keywords.includes(under) ||
        ['items', 'then', 'if', 'additionalProperties'].includes(token)
      );
    }) && !keywords.includes(inside.at(-1) ?? '')
  );
}

const typesOf = (schema: JsonObject): unknown[] => [schema['type']].flat();
const shown = (places: { pointer: string[] }[]): string[] => places.map(({ pointer }) => pointer.join('/'));

describe('openapi.yaml', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const file = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));
    const api = await SwaggerParser.validate(file);
    expect(api).toHaveProperty('openapi', '3.1.1');
  });

  it('shows an example of every JSON body, and every example fits its schema', () => {
    const bodies = all.filter(({ pointer }) => pointer.at(-2) === 'content' && String(pointer.at(-1)).endsWith('json'));
    const withoutExample = bodies.filter(
      ({ value, pointer }) => !value['examples'] && !pointer.includes('/openapi.json'),
    );
    const wrong = bodies.flatMap(({ pointer, value }) =>
      Object.entries((value['examples'] ?? {}) as Record<string, JsonObject>).flatMap(([name, example]) =>
        checker
          .problemsAt([...pointer, 'schema'], example['value'])
          .map((problem) => `${[...pointer, 'examples', name].join('/')} ${problem}`),
      ),
    );
    expect(bodies.length).toBeGreaterThan(60);
    expect(shown(withoutExample)).toEqual([]);
    expect(wrong).toEqual([]);
  });

  it('gives examples of parameters and headers that fit their schemas', () => {
    const shownOnce = all.filter(({ value }) => 'example' in value && 'schema' in value);
    const wrong = shownOnce.flatMap(({ pointer, value }) =>
      checker.problemsAt([...pointer, 'schema'], value['example']).map((problem) => `${pointer.join('/')} ${problem}`),
    );
    expect(shownOnce.length).toBeGreaterThan(15);
    expect(wrong).toEqual([]);
  });

  it('bounds every integer and every text', () => {
    const integers = schemas.filter(({ value }) => typesOf(value).includes('integer') && !('enum' in value));
    const texts = schemas.filter(
      ({ value }) => typesOf(value).includes('string') && !('enum' in value) && !('const' in value),
    );
    // A narrowing beside a bounded `$ref` repeats the type only.
    const open = texts.filter(
      ({ pointer, value }) =>
        !('maxLength' in value || 'pattern' in value) && Object.keys(value).join() !== 'type' && pointer.length > 0,
    );
    expect(integers.length).toBeGreaterThan(30);
    expect(shown(integers.filter(({ value }) => !('maximum' in value) || !('minimum' in value)))).toEqual([]);
    expect(texts.length).toBeGreaterThan(60);
    expect(shown(open)).toEqual([]);
  });

  it('closes every object, whole or as the parts of a closed composition', () => {
    const isPart = ({ pointer }: { pointer: string[] }) => /Fields$/.test(pointer[2] ?? '') && pointer.length === 3;
    const whole = schemas.filter(({ value }) => typesOf(value).includes('object'));
    const open = whole.filter((place) => !isPart(place) && !('additionalProperties' in place.value));
    const composed = schemas.filter(({ value }) => JSON.stringify(value['allOf'] ?? '').includes('Fields"'));
    const leaking = composed.filter((place) => !isPart(place) && place.value['unevaluatedProperties'] !== false);
    expect(whole.length).toBeGreaterThan(40);
    expect(shown(open)).toEqual([]);
    expect(composed.length).toBeGreaterThan(20);
    expect(shown(leaking)).toEqual([]);
  });

  it('says in words what every call does, under a name of its own', () => {
    const operations = all.filter(({ pointer, value }) => pointer[0] !== 'components' && 'responses' in value);
    const wordless = operations.filter(({ value }) => !value['summary'] || !value['description'] || !value['tags']);
    const ids = operations.map(({ value }) => value['operationId']);
    expect(operations.length).toBe(checker.routes().length + Object.keys(at('webhooks') as JsonObject).length);
    expect(shown(wordless)).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('uses the words of the code for states, ends, events, keys and channels', () => {
    const words = (name: string): unknown => at('components', 'schemas', name, 'enum');
    expect(words('State')).toEqual([...STATES]);
    expect(words('EndReason')).toEqual([...END_REASONS, null]);
    expect(words('EventName')).toEqual([...EVENT_TYPES]);
    expect(at('components', 'schemas', 'KeyCreate', 'properties', 'kind', 'enum')).toEqual([...KEY_KINDS]);
    const channels = at(
      'components',
      'schemas',
      'ClientSettingFields',
      'properties',
      'notificationChannels',
      'items',
      'enum',
    );
    expect(channels).toEqual([...NOTIFICATION_CHANNELS]);
  });

  it('names the field rules of an execute: amounts, keys and tokens', () => {
    const fits = (body: object) => checker.problemsAt(['components', 'schemas', 'ExecuteRequest'], body).length === 0;
    const right = { paymentMethodToken: 'pm_card_visa', amount: 2500, currency: 'USD' };
    expect(fits(right)).toBe(true);
    for (const amount of [44, 50, 100_000_000])
      expect({ amount, fits: fits({ ...right, amount }) }).toEqual({ amount, fits: true });
    for (const amount of [43, 45, 49, 0, -1, 100_000_001, 25.5, '2500', null]) {
      expect({ amount, fits: fits({ ...right, amount }) }).toEqual({ amount, fits: false });
    }
    expect(fits({ ...right, idempotencyKey: 'k'.repeat(128) })).toBe(true);
    expect(fits({ ...right, idempotencyKey: 'k'.repeat(129) })).toBe(false);
    expect(fits({ ...right, paymentMethodToken: '' })).toBe(false);
    expect(fits({ ...right, refrence: 'inv_42' })).toBe(false);
    expect(fits({ amount: 2500 })).toBe(false);
  });
});

describe('the checker', () => {
  const path = '/api/recovery/cancel-me';
  const requestId = { 'X-Request-Id': 'req_1' };
  const problem = {
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'No such recovery.',
    code: 'not_found',
    error: 'No such recovery.',
    requestId: 'req_1',
  };
  const json = { ...requestId, 'content-type': 'application/problem+json; charset=utf-8' };
  const notFound = {
    method: 'get',
    path: '/api/recovery/status/01KB5Z7M3QG8T2V4XW6Y9ACDEF',
    status: 404,
    headers: json,
  };

  it('accepts an answer that is as documented, and remembers having seen it', () => {
    const fresh = new ContractChecker(checker.document);
    fresh.checkResponse({ ...notFound, body: problem });
    expect([...fresh.seen()]).toEqual(['GET /api/recovery/status/{transactionId} 404']);
    expect(fresh.documented()).toContain('GET /api/recovery/status/{transactionId} 404');
  });

  it.each([
    ['a member too many', { ...problem, secret: 1 }, json, /unevaluated.*secret/],
    ['a missing member', { ...problem, code: undefined, requestId: 'req_1' }, json, /code/],
    ['a code that is not listed', { ...problem, code: 'oops' }, json, /\/code/],
    ['a missing header', problem, { 'content-type': json['content-type'] }, /header X-Request-Id: is missing/],
    [
      'another media type',
      problem,
      { ...requestId, 'content-type': 'application/json' },
      /content-type 'application\/json'/,
    ],
  ])('names what is off: %s', (_, body, headers, message) => {
    const answer = { ...notFound, headers, body: JSON.parse(JSON.stringify(body)) as unknown };
    expect(() => checker.checkResponse(answer)).toThrow(ContractBreach);
    expect(() => checker.checkResponse(answer)).toThrow(message);
  });

  it('refuses a status and a route that are not documented', () => {
    expect(() => checker.checkResponse({ ...notFound, status: 418, body: problem })).toThrow(
      'the status is not documented',
    );
    expect(() => checker.checkResponse({ ...notFound, path, status: 200, body: {} })).toThrow(
      'the route is not documented',
    );
    expect(() => checker.checkResponse({ ...notFound, path, body: problem })).not.toThrow();
  });

  it('checks path, query, headers and body of a request', () => {
    const ask =
      (method: string, url: string, body?: unknown, headers = {}) =>
      () =>
        checker.checkRequest({ method, path: url, body, headers });
    expect(ask('GET', '/api/recovery?limit=50&state=queued')).not.toThrow();
    expect(ask('GET', '/api/recovery?limit=201')).toThrow(/query limit/);
    expect(ask('GET', '/api/recovery?colour=red')).toThrow('query colour: is not documented');
    expect(ask('GET', '/api/recovery/status')).toThrow('query idempotencyKey: is missing');
    expect(ask('GET', '/api/recovery/status/short')).toThrow(/path transactionId/);
    expect(ask('POST', '/execute', { paymentMethodToken: 'pm_card_visa', amount: 2500 })).not.toThrow();
    expect(ask('POST', '/execute')).toThrow(ContractBreach);
    const long = { 'idempotency-key': 'k'.repeat(256) };
    expect(ask('POST', '/execute', { paymentMethodToken: 'pm_card_visa', amount: 2500 }, long)).toThrow(
      /header Idempotency-Key/,
    );
  });

  it('checks an event by its name, with its headers', () => {
    const sent = composeTestEvent({ id: 'evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN', createdAt: new Date(0), livemode: false });
    const body = JSON.parse(sent.toString('utf8')) as JsonObject;
    expect(() => checker.checkWebhook(body)).not.toThrow();
    expect(() => checker.checkWebhook({ ...body, email: 'a@b.example' })).toThrow(/email/);
    expect(() => checker.checkWebhook({ ...body, event: 'recovery.lost' })).toThrow('is not documented');
    expect(() => checker.checkWebhook(body, { 'webhook-id': String(body['id']) })).toThrow(
      'header webhook-timestamp: is missing',
    );
  });
});
