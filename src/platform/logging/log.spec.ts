import { Writable } from 'node:stream';

import { describe, expect, it } from '@jest/globals';

import { fc } from '../../../test/support/properties.js';
import { Log } from './log.js';

function logTo(lines: string[]): Log {
  return new Log(
    'debug',
    new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) }),
  );
}

describe('Log', () => {
  it('writes one line with the event, its facts and the time in UTC', () => {
    const lines: string[] = [];
    logTo(lines).info('attempt.settled', {
      clientId: 'cli_1',
      durationMs: 12,
      dueAt: new Date('2026-11-21T10:00:00Z'),
    });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      event: 'attempt.settled',
      clientId: 'cli_1',
      durationMs: 12,
      dueAt: '2026-11-21T10:00:00.000Z',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
  });

  it.each([
    ['trace', 1],
    ['info', 1],
    ['fatal', 1],
    ['silent', 0],
  ] as const)('announces at level %s: %i line', (level, count) => {
    const lines: string[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
    new Log(level, sink).announce('service.started', { url: 'http://127.0.0.1:3000' });
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject(
      Array.from({ length: count }, () => ({ level: 30, event: 'service.started', url: 'http://127.0.0.1:3000' })),
    );
  });

  it('lets no fact pass that is not on its list', () => {
    const lines: string[] = [];
    const facts = { requestId: 'r', body: 'secret', paymentMethodToken: 'pm_1', customerEmail: 'a@b.c', headers: {} };
    logTo(lines).info('request', facts);
    expect(Object.keys(JSON.parse(lines[0] ?? '') as object).sort()).toEqual(['event', 'level', 'requestId', 'time']);
  });

  it('stays one line whatever a fact holds', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const lines: string[] = [];
        logTo(lines).info('request', { text: `${text}\r\n{"event":"forged"}` });
        expect(lines.join('').match(/\n/g)).toHaveLength(1);
      }),
    );
  });

  it('hides a card number that got this far', () => {
    const lines: string[] = [];
    logTo(lines).info('request', { text: 'card 4242 4242 4242 4242' });
    expect(lines[0]).not.toContain('4242');
  });

  it('tells of an error its name, code and place, and no message that could quote data', () => {
    const lines: string[] = [];
    const error = Object.assign(new Error('Key (reference)=(inv_secret) already exists'), {
      code: '23505',
      constraint: 'one',
    });
    logTo(lines).error('request.failed', { requestId: 'r' }, error);
    expect(lines[0]).not.toContain('inv_secret');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      errorName: 'Error',
      errorCode: '23505',
      errorConstraint: 'one',
      errorFrames: expect.stringContaining('log.spec.ts'),
    });
  });

  it('shows what the operating system said', () => {
    const lines: string[] = [];
    const error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    logTo(lines).error('request.failed', {}, error);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ errorText: 'connect ECONNREFUSED 127.0.0.1:5432' });
  });
});
