import { describe, expect, it } from '@jest/globals';

import { parseTable, readTable } from './table-file.js';
import { buildTables, findAdviceRow, findDeclineRow, findNetworkRow, GROUPS, PRESETS, TABLES } from './tables.js';

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

  it.each([
    ['0', 'a whole number from 1 to 720'],
    ['721', 'a whole number from 1 to 720'],
    ['1x', 'a whole number from 1 to 720'],
    ['x1', 'a whole number from 1 to 720'],
    ['1.5', 'a whole number from 1 to 720'],
  ])('refuses a wait of "%s" hours', (hours, accepted) => {
    expect(() => build({ advice: `mastercard,24,wait,${hours}` })).toThrow(
      `policy/advice.csv, row 2: wait_hours is "${hours}", accepted: ${accepted}`,
    );
  });

  it('takes numbers up to both ends, and none where a cell is empty', () => {
    const hours = (text: string) =>
      build({ advice: `mastercard,24,wait,${text}` }).advice.get('mastercard:24')?.waitHours;
    expect(['1', '720'].map(hours)).toEqual([1, 720]);
    expect(build({ advice: 'mastercard,02,later,' }).advice.get('mastercard:02')?.waitHours).toBeNull();
  });

  it.each([
    ['mastercard,99,pause,', /effect is "pause", accepted: never later fix_data/],
    ['amex,99,never,', /network is "amex", accepted: stripe mastercard/],
    ['mastercard,,never,', /code is empty/],
  ])('refuses the advice row %s', (advice, message) => expect(() => build({ advice })).toThrow(message));

  it.each([
    ['visa,,2,zz,always,yes,retry_later', /code is empty/],
    [',51,2,zz,always,yes,retry_later', /network is empty/],
    ['visa,51,2,,always,yes,retry_later', /closest_stripe_code is empty/],
    ['visa,51,2,zz,always,maybe,retry_later', /auto_retry is "maybe"/],
    ['visa,51,2,zz,always,yes,wait', /recommended_action is "wait"/],
  ])('refuses the network row %s', (network, message) => expect(() => build({ network })).toThrow(message));

  it('reads a network row', () => {
    expect(build({ network: 'visa,51,,zz,alone,no,manual_review' }).networks.get('visa:51')).toEqual({
      network: 'visa',
      code: '51',
      visaCategory: null,
      closestCode: 'zz',
      weight: 'alone',
      autoRetry: 'no',
      recommendedAction: 'manual_review',
    });
  });

  it('reads a schedule row: minutes or a share of jitter, a local hour or none, paydays or none', () => {
    const schedules = (row: string) =>
      build({ schedules: GOOD_SCHEDULES.replace('24 48,12,10,yes,45m', row) }).schedules.standard.funds;
    expect(schedules('1 2,0,0,no,20%')).toEqual({
      slotsHours: [1, 2],
      gapHours: 0,
      localHour: 0,
      paydayShift: false,
      jitter: { kind: 'share', max: 0.2 },
    });
    expect(schedules('1 2 3 4 5 6 7 8,12,,yes,5m')).toMatchObject({
      localHour: null,
      paydayShift: true,
      jitter: { kind: 'minutes', max: 5 },
    });
  });

  it('names the bad row’s file as an error of its own', () => {
    expect(() => build({ advice: 'mastercard,24,wait,' })).toThrow(
      expect.objectContaining({ name: 'BadTable', message: 'policy/advice.csv, row 2: effect wait needs wait_hours' }),
    );
  });

  it('finds a code by the kind that is asked for first, and then by the other', () => {
    expect(findDeclineRow('expired_card')?.kind).toBe('decline_code');
    expect(findDeclineRow('expired_card', 'error_code')?.kind).toBe('error_code');
    expect(findDeclineRow('card_declined')?.kind).toBe('error_code');
    expect(findDeclineRow('do_not_honor', 'error_code')?.kind).toBe('decline_code');
    expect(findDeclineRow('zz_9')).toBeNull();
    expect(findNetworkRow('visa', '51')?.closestCode).toBe('insufficient_funds');
    expect(findNetworkRow('visa', 'R01') ?? findNetworkRow('jcb', '51')).toBeNull();
    expect(findAdviceRow('mastercard', '03')?.effect).toBe('never');
    expect(findAdviceRow('stripe', '03')).toBeNull();
  });

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
