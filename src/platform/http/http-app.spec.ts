import { connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import request from 'supertest';

import { CARD, startThings } from '../../../test/support/things-app.js';

describe('the HTTP shell', () => {
  let app: NestFastifyApplication;
  let port: number;
  const lines: string[] = [];

  beforeAll(async () => {
    app = await startThings(lines);
    port = (app.getHttpServer().address() as { port: number }).port;
  });
  afterAll(() => app.close());

  const http = () => request(`http://127.0.0.1:${port}`);
  const post = (body: string | object, path = '/things') =>
    http()
      .post(path)
      .set('content-type', 'application/json')
      .send(typeof body === 'string' ? body : JSON.stringify(body));
  const raw = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });

  it('takes a right body, keeps its bytes, and sends the common headers', async () => {
    const sent = JSON.stringify({ token: 'pm_1', amount: 50, list: ['a'] });
    const answer = await post(sent);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ body: JSON.parse(sent) as object, rawBytes: sent.length });
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers['x-request-id']).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('echoes a sane request id and replaces another', async () => {
    expect((await http().get('/things').set('x-request-id', 'job-7.a')).headers['x-request-id']).toBe('job-7.a');
    for (const bad of ['a b', 'x'.repeat(129), CARD]) {
      expect((await http().get('/things').set('x-request-id', bad)).headers['x-request-id']).not.toBe(bad);
    }
  });

  it('refuses a wrong body with a problem that names the field and what is taken', async () => {
    const answer = await post({ token: 'a', amount: '50' });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toEqual({
      type: 'urn:revtain:problem:invalid_field',
      title: 'Invalid field',
      status: 400,
      detail: 'amount: must be an integer from 50 to 100',
      code: 'invalid_field',
      error: 'amount: must be an integer from 50 to 100',
      requestId: answer.headers['x-request-id'],
      errors: [
        {
          field: 'amount',
          code: 'invalid_field',
          message: 'must be an integer from 50 to 100',
          accepted: 'an integer from 50 to 100',
        },
      ],
    });
  });

  it.each([
    ['a list as body', '[]', 'body', 'invalid_json'],
    ['null as body', 'null', 'body', 'invalid_json'],
    ['NUL', '{"token":"a\\u0000","amount":50}', 'token', 'invalid_field'],
    ['half a character', '{"token":"\\ud800","amount":50}', 'token', 'invalid_field'],
    ['a key given twice', '{"amount":50,"amount":51}', 'amount', 'invalid_json'],
  ])('refuses %s', async (_what, body, field, code) => {
    expect((await post(body)).body).toMatchObject({ status: 400, code, errors: [{ field, code }] });
  });

  it('needs no body where no field is required, and names what is missing where one is', async () => {
    expect((await http().post('/things/act')).status).toBe(200);
    expect((await http().post('/things/act').set('content-type', 'application/json')).status).toBe(200);
    expect((await http().post('/things')).body).toMatchObject({ code: 'missing_field' });
  });

  it('checks a query as strictly as a body', async () => {
    expect((await http().get('/things?limit=7')).body).toEqual({ query: { limit: 7 } });
    expect((await http().get('/things?limit=x')).body).toMatchObject({ status: 400, errors: [{ field: 'limit' }] });
    expect((await http().get('/things?what=1')).body).toMatchObject({ status: 400, code: 'unknown_field' });
  });

  it.each([
    ['a body field', () => post({ token: CARD, amount: 50 }), 'token'],
    ['a body number', () => post({ token: 'a', amount: Number(CARD) }), 'amount'],
    ['a nested list', () => post({ token: 'a', amount: 50, list: ['a', '4242 4242 4242 4242'] }), 'list[1]'],
    ['an unknown field', () => post({ unknown: { deep: [CARD] } }), 'unknown.deep[0]'],
    ['a field name', () => post({ [CARD]: 1 }), 'a field name'],
    ['a query', () => http().get(`/things?from=${CARD}`), 'from'],
    ['a path', () => http().get(`/things/one/${CARD}`), 'id'],
    ['an idempotency key', () => post({}).set('idempotency-key', CARD), 'Idempotency-Key'],
  ])('refuses a card number in %s and never repeats it', async (_where, send, field) => {
    lines.length = 0;
    const answer = await send();
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      code: 'card_number_refused',
      errors: [{ field, code: 'card_number_refused' }],
    });
    expect(answer.text + JSON.stringify(answer.headers)).not.toContain('4242');
    expect(lines.join('')).not.toContain('4242');
  });

  it.each([
    ['plain text', 'text/plain'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['another charset', 'application/json; charset=iso-8859-1'],
    ['another JSON', 'application/merge-patch+json'],
  ])('answers 415 for %s', async (_what, type) => {
    const answer = await http().post('/things').set('content-type', type).send('{"token":"a","amount":50}');
    expect(answer.status).toBe(415);
    expect(answer.body).toMatchObject({ code: 'unsupported_media_type', status: 415 });
  });

  it('answers 415 for a body without a type, and for a compressed one', async () => {
    const untyped = await raw('POST /things HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}');
    expect(untyped).toMatch(/^HTTP\/1\.1 415 [\s\S]*unsupported_media_type/);
    expect((await post({}).set('content-encoding', 'gzip')).status).toBe(415);
  });

  it('answers 413 above 64 KiB, told or found, and takes more where a route says so', async () => {
    const large = JSON.stringify({ token: 'x'.repeat(66_000) });
    expect((await post(large)).body).toMatchObject({ status: 413, code: 'payload_too_large' });
    expect((await post(large, '/things/large')).status).toBe(200);
    const chunked = `POST /things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(await raw(chunked)).toMatch(/^HTTP\/1\.1 413 [\s\S]*payload_too_large/);
  });

  it('gives a route that proves signatures the bytes of any type', async () => {
    const answer = await http()
      .post('/things/raw')
      .set('content-type', 'application/x-www-form-urlencoded')
      .send('bt_signature=a');
    expect(answer.body).toEqual({ bytes: 14 });
  });

  it.each([
    ['an unknown address', () => http().get('/nothing'), 404, 'not_found'],
    ['another method', () => http().delete('/things'), 404, 'not_found'],
    ['a path that does not decode', () => http().get('/things/one/%ff'), 400, 'invalid_field'],
    ['an endless path parameter', () => http().get(`/things/one/${'x'.repeat(400)}`), 404, 'not_found'],
    ['a refusal of our own', () => http().get('/things/conflict'), 409, 'duplicate'],
  ])('answers %s with a problem', async (_what, send, status, code) => {
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status, code, requestId: answer.headers['x-request-id'] });
  });

  it.each(['/things', '/things/one/a', '/things?limit=x', '/things/conflict', '/things/bug', '/nothing'])(
    'answers HEAD %s as GET, without the body',
    async (path) => {
      const [head, get] = [await http().head(path), await http().get(path)];
      expect([head.status, head.headers['content-type']]).toEqual([get.status, get.headers['content-type']]);
      expect(head.text ?? '').toBe('');
      const bare = await raw(`HEAD ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      expect(bare).toMatch(/^HTTP\/1\.1 \d{3} [\s\S]*\r\n\r\n$/);
    },
  );

  it('has no HEAD where there is no GET', async () => {
    expect((await http().head('/things/act')).status).toBe(404);
  });

  it('refuses a second Idempotency-Key header, which HTTP would join to a key that nobody meant', async () => {
    const keys = (lines: string) =>
      raw(`GET /things HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lines}\r\n`).then((answer) =>
        answer.split('\r\n\r\n'),
      );
    const [head = '', body = ''] = await keys('Idempotency-Key: a1\r\nidempotency-key: b1\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(body)).toMatchObject({ code: 'invalid_field', errors: [{ field: 'Idempotency-Key' }] });
    expect((await keys('Idempotency-Key: a1, b1\r\n'))[0]).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('adds a refusal’s own members', async () => {
    expect((await http().get('/things/conflict')).body).toMatchObject({
      error: 'It is there.',
      existingStatus: 'queued',
    });
  });

  it('answers 503 with Retry-After when the database is gone', async () => {
    const answer = await http().get('/things/database-down');
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.body).toMatchObject({ code: 'not_accepted' });
  });

  it('says nothing of a bug to the caller, and no card number to the log', async () => {
    lines.length = 0;
    const answer = await http().get('/things/bug');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/no such thing|4242|pm_1/);
    const logged = lines.join('');
    expect(logged).toContain('"event":"request.failed"');
    expect(logged).toContain('errorFrames');
    expect(logged).not.toContain('4242');
  });

  it('logs one line a request, with the route’s template in place of the path', async () => {
    lines.length = 0;
    await http().get('/things/one/secret-id?token=abc').set('x-request-id', 'r-1');
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ event: 'request', requestId: 'r-1', route: '/things/one/:id', status: 200 });
    expect(lines.join('')).not.toMatch(/secret-id|abc/);
  });

  it('answers what is no HTTP with a problem, and survives a caller that leaves', async () => {
    expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_field"/);
    expect(await raw(`GET /things HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    lines.length = 0;
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(
          'POST /things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"tok',
          () => {
            setTimeout(() => socket.destroy(), 50);
          },
        );
      });
      socket.on('close', () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(lines.join('')).not.toContain('request.failed');
    expect((await http().get('/things')).status).toBe(200);
  });

  it('refuses a request whose length is told in two ways', async () => {
    const smuggled =
      'POST /things HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(await raw(smuggled)).toMatch(/^HTTP\/1\.1 400 /);
  });
});
