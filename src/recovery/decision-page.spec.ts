import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

import { withDecisionTable } from './decision-page.js';
import { decisionTable, NO_CODE_NAME, UNLISTED_NAME, type Verdict } from './decision-table.js';
import { RULE_SOURCES } from './rules.js';
import { TABLES } from './tables.js';

const ROOT = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/decisions.md', ROOT), 'utf8');

const TABLE = decisionTable();
const LINES = TABLE.flatMap(({ bucket, codes, lines }) => lines.map((line) => ({ bucket, codes, ...line })));

function verdict(code: string, history: string, deadline: string): Verdict | undefined {
  return LINES.find(
    (line) =>
      line.codes.includes(code) && [history, 'any'].includes(line.history) && [deadline, 'any'].includes(line.deadline),
  )?.verdict;
}

describe('docs/decisions.md', () => {
  it('holds the table that the data makes: run `npm run docs:decisions` after a change', () => {
    expect(withDecisionTable(page)).toBe(page);
  });

  it('is refused without the marks that the table stands between', () => {
    expect(() => withDecisionTable('# How Revtain decides')).toThrow('lacks the marks');
    const [begin = '', end = ''] = page.match(/<!-- The part [^>]+-->/g) ?? [];
    expect(() => withDecisionTable(`${end}\n${begin}`)).toThrow('lacks the marks');
  });

  it('has every heading and file that a rule names as its source', () => {
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    const anchors = RULE_SOURCES.flatMap((source) => /^docs\/decisions\.md#([\w-]+)/.exec(source)?.[1] ?? []);
    expect(anchors.length).toBeGreaterThan(5);
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
    const files = RULE_SOURCES.flatMap((source) => /^(?:src|docs)\/[\w./-]+\.(?:csv|md)/.exec(source)?.[0] ?? []);
    expect(files.length).toBeGreaterThan(8);
    expect(files.filter((file) => !existsSync(new URL(file, ROOT)))).toEqual([]);
  });
});

describe('the table', () => {
  it('has every code that is routed as a decline once, and the two that no row lists', () => {
    const routed = [...TABLES.declines.values()].filter((row) => row.scope === 'debt').map((row) => `\`${row.code}\``);
    const told = TABLE.flatMap((group) => group.codes);
    expect(new Set(told)).toEqual(new Set([...routed, UNLISTED_NAME, NO_CODE_NAME]));
    expect(told).toHaveLength(new Set(told).size);
  });

  it('speaks of every history and deadline in every group', () => {
    for (const { codes } of TABLE) {
      for (const history of ['named', 'declined', 'fallback', 'spent']) {
        for (const deadline of ['ahead', 'near', 'passed']) {
          expect(verdict(codes[0] ?? '', history, deadline)).toBeDefined();
        }
      }
    }
  });

  it.each([
    ['`do_not_honor`', 'declined', 'ahead', { then: 'queued', recommendedAction: 'retry_later', willRetry: true }],
    ['`do_not_honor`', 'spent', 'ahead', { then: 'failed', endReason: 'exhausted', final: true, hold: true }],
    ['`do_not_honor`', 'declined', 'passed', { then: 'failed', endReason: 'deadline', hold: true }],
    ['`do_not_honor`', 'named', 'ahead', { then: 'charged now', recommendedAction: null, reason: null }],
    ['`do_not_honor`', 'named', 'passed', { then: 'failed', endReason: 'deadline', final: true }],
    [
      '`insufficient_funds`',
      'named',
      'near',
      { reason: 'No charge was possible in time. Ask the customer for another payment method.' },
    ],
    ['`insufficient_funds`', 'named', 'ahead', { then: 'queued', willRetry: true, final: false }],
    ['`gateway_timeout`', 'named', 'ahead', { then: 'looks, then charges' }],
    ['`expired_card`', 'declined', 'ahead', { endReason: 'hard_decline', final: true, hold: false }],
    ['`expired_card`', 'fallback', 'ahead', { then: 'fallback charged now' }],
    ['`stolen_card`', 'fallback', 'ahead', { then: 'blocked', recommendedAction: 'request_card_update' }],
    ['`fraudulent`', 'named', 'ahead', { then: 'blocked', recommendedAction: 'manual_review', final: true }],
    [
      '`authentication_required`',
      'declined',
      'ahead',
      { then: 'action_required', detail: 'authenticate', final: false },
    ],
    ['`authentication_required`', 'declined', 'passed', { endReason: 'not_authenticated', final: true }],
    ['`invalid_amount`', 'spent', 'passed', { endReason: 'configuration', recommendedAction: 'manual_review' }],
    [UNLISTED_NAME, 'spent', 'ahead', { recommendedAction: 'request_card_update', hold: true }],
    [NO_CODE_NAME, 'named', 'ahead', { then: 'charged now' }],
  ])('says of %s, %s, deadline %s: %j', (code, history, deadline, expected) => {
    expect(verdict(code, history, deadline)).toMatchObject(expected);
  });

  it('gives a reason and a text for the customer wherever it gives advice, and nowhere else', () => {
    for (const { verdict: one } of LINES) {
      expect(one.reason !== null).toBe(one.recommendedAction !== null);
      expect(one.customer !== null).toBe(one.recommendedAction !== null);
      if (one.final === true) expect(one.customer).not.toMatch(/will try again/i);
    }
    const stolen = verdict('`stolen_card`', 'named', 'ahead');
    expect(stolen?.customer).toBe(verdict('`fraudulent`', 'named', 'ahead')?.customer);
  });

  it('promises a retry only where one is set, and never on a final event', () => {
    for (const { verdict: one } of LINES) {
      expect(one.recommendedAction === 'retry_later').toBe(one.willRetry === true);
      expect(one.then === 'queued').toBe(one.willRetry === true);
      if (one.final === true) expect(one.recommendedAction).toMatch(/^(request_card_update|manual_review)$/);
    }
  });

  it('holds back only what is spent after a soft decline and asks for a card', () => {
    for (const { bucket, verdict: one } of LINES.filter((line) => line.verdict.hold)) {
      expect(['blended', 'retry_only']).toContain(bucket);
      expect(['exhausted', 'deadline']).toContain(one.endReason);
      expect(one.recommendedAction).toBe('request_card_update');
    }
  });
});
