import { describe, expect, it } from '@jest/globals';

import { parseTable, readTable } from './table-file.js';
import { buildTables, GROUPS, PRESETS, TABLES } from './tables.js';

const DECLINE_HEAD =
  'code,kind,meaning,bucket,scope,first_step,retryable,schedule_group,recommended_action,final_action,customer_message_safe,source';
const NETWORK_HEAD = 'network,code,visa_category,closest_stripe_code,weight,auto_retry,recommended_action';
const ADVICE_HEAD = 'network,code,effect,wait_hours';
const SCHEDULE_HEAD = 'preset,schedule_group,slots_hours,gap_hours,local_hour,payday_shift,jitter';

const GOOD_DECLINE = 'zz,decline_code,m,blended,debt,queue,yes,limit,retry_later,request_card_update,,s';
const GOOD_SCHEDULES = PRESETS.flatMap((preset) =>
  GROUPS.map((group) => `${preset},${group},24 48,12,10,yes,45m`),
).join('\n');

function build(parts: { decline?: string; network?: string; advice?: string; schedules?: string }) {
  const file = (name: string, head: string, text: string) => parseTable(`${name}.csv`, `${head}\n${text}\n`);
  return buildTables({
    declines: file('declines', DECLINE_HEAD, parts.decline ?? GOOD_DECLINE),
    networks: file('networks', NETWORK_HEAD, parts.network ?? 'visa,51,2,zz,always,yes,retry_later'),
    advice: file('advice', ADVICE_HEAD, parts.advice ?? 'mastercard,24,wait,1'),
    schedules: file('schedules', SCHEDULE_HEAD, parts.schedules ?? GOOD_SCHEDULES),
  });
}

describe('loading the tables', () => {
  it('reads good rows', () => expect(build({}).declines.get('decline_code:zz')?.group).toBe('limit'));

  it.each([
    ['an unknown bucket', GOOD_DECLINE.replace('blended', 'mild'), /row 2: bucket is "mild", accepted: retry_only/],
    ['an unknown step', GOOD_DECLINE.replace('queue', 'wait'), /first_step/],
    ['a blocked code that is not never-charge', GOOD_DECLINE.replace('queue', 'block'), /block is for/],
    ['fraud that is not blocked', GOOD_DECLINE.replace('blended', 'fraud'), /block is for/],
    ['authentication with another step', GOOD_DECLINE.replace('blended', 'authentication'), /authenticate goes with/],
    ['a charge of what is not retryable', GOOD_DECLINE.replace(',yes,limit', ',no,'), /only a retryable row/],
    ['a retryable row without schedule', GOOD_DECLINE.replace('limit', ''), /schedule_group goes with/],
    ['retry_later as last advice', GOOD_DECLINE.replace('request_card_update', 'retry_later'), /final_action/],
    ['an empty code', GOOD_DECLINE.replace('zz', ''), /code is empty/],
    ['a code that stands twice', `${GOOD_DECLINE}\n${GOOD_DECLINE}`, /row 3: decline_code:zz stands twice/],
  ])('refuses %s', (_, decline, message) => expect(() => build({ decline })).toThrow(message));

  it.each([
    ['a closest code without row', 'visa,51,2,qq,always,yes,retry_later', /closest_stripe_code "qq"/],
    ['a category beyond 4', 'visa,51,5,zz,always,yes,retry_later', /visa_category/],
    ['an unknown weight', 'visa,51,2,zz,often,yes,retry_later', /weight/],
  ])('refuses a network row with %s', (_, network, message) => expect(() => build({ network })).toThrow(message));

  it('refuses a wait without hours', () => {
    expect(() => build({ advice: 'mastercard,24,wait,' })).toThrow(/needs wait_hours/);
  });

  it.each([
    ['falling slots', '24 48', '48 24', /rising/],
    ['more than eight slots', '24 48', '1 2 3 4 5 6 7 8 9', /1 to 8/],
    ['a half hour', '24 48', '1.5', /whole hours/],
    ['hour 24', ',10,', ',24,', /local_hour/],
    ['an unknown jitter', '45m', '45x', /jitter/],
    ['an empty gap', ',12,', ',,', /gap_hours/],
  ])('refuses a schedule with %s', (_, from, to, message) => {
    expect(() => build({ schedules: GOOD_SCHEDULES.replace(from, to) })).toThrow(message);
  });

  it('refuses a preset that lacks a group', () => {
    expect(() => build({ schedules: GOOD_SCHEDULES.split('\n').slice(1).join('\n') })).toThrow(/standard has no row/);
  });

  it('refuses a table of which a part is missing, or that has no edition', () => {
    expect(() => parseTable('half.csv', 'a,b\n1,2\n', 2)).toThrow(
      'policy/half.csv, row 2: is the last, and the edition has 2',
    );
    expect(() => parseTable('half.csv', 'a,b\n1\n')).toThrow(/columns/i);
    expect(() => readTable('editions.json')).toThrow(/no entry in editions.json/);
    expect(() => parseTable('half.csv', 'a,b\n1,2\n')[0]?.text('c')).toThrow('column c is missing');
  });

  it('has every group in every preset', () => {
    const counts = PRESETS.map((preset) => Object.keys(TABLES.schedules[preset]).length);
    expect(counts).toEqual(PRESETS.map(() => GROUPS.length));
  });
});
