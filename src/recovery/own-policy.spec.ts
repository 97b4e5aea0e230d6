import { describe, expect, it } from '@jest/globals';

import { TABLES } from './tables.js';
import { blackoutProblems, type OwnScheduleRow, scheduleProblems, withOwnRows } from './own-policy.js';

const ROW: OwnScheduleRow = { slotsHours: [24, 72], gapHours: 12, localHour: 9, paydayShift: true, jitter: '45m' };
const DEBIT = { ...ROW, slotsHours: [120, 288], gapHours: 48, localHour: null, paydayShift: false };

describe('a merchant’s own schedule', () => {
  it.each([
    [{ funds: ROW }],
    [{ funds: ROW, technical: { ...ROW, localHour: null, paydayShift: false, jitter: '20%' } }],
    [{ limit: { ...ROW, slotsHours: [1, 2, 3, 4, 5, 6, 7, 2160], gapHours: 1, localHour: 0 } }],
    [{ unlisted: { ...ROW, localHour: 23, gapHours: 720 } }],
    [{ debit: DEBIT }],
    [{ debit: { ...DEBIT, slotsHours: [48] } }],
  ])('%j is accepted', (schedule) => expect(scheduleProblems(schedule)).toEqual([]));

  it.each([
    ['nothing', {}, 'policy.schedule', 'is empty'],
    ['a text', 'fast', 'policy.schedule', 'is not an object'],
    ['a list', [ROW], 'policy.schedule', 'is not an object'],
    ['null', null, 'policy.schedule', 'is not an object'],
    ['an unknown group', { hard: ROW }, 'policy.schedule.hard', 'is not a group'],
    ['a row that is none', { funds: null }, 'policy.schedule.funds', 'is not an object'],
    ['an unknown column', { funds: { ...ROW, slots: [1] } }, 'policy.schedule.funds.slots', 'is not a field'],
    ['no slot', { funds: { ...ROW, slotsHours: [] } }, 'policy.schedule.funds.slotsHours', 'no slot'],
    [
      'nine slots',
      { funds: { ...ROW, slotsHours: [1, 2, 3, 4, 5, 6, 7, 8, 9] } },
      'policy.schedule.funds.slotsHours',
      'too many',
    ],
    ['equal slots', { funds: { ...ROW, slotsHours: [24, 24] } }, 'policy.schedule.funds.slotsHours', 'must rise'],
    ['a slot at once', { funds: { ...ROW, slotsHours: [0, 24] } }, 'policy.schedule.funds.slotsHours', 'must rise'],
    ['half an hour', { funds: { ...ROW, slotsHours: [1.5] } }, 'policy.schedule.funds.slotsHours', 'must rise'],
    [
      'a slot after 90 days',
      { funds: { ...ROW, slotsHours: [2161] } },
      'policy.schedule.funds.slotsHours',
      'must rise',
    ],
    ['a slot as text', { funds: { ...ROW, slotsHours: ['24'] } }, 'policy.schedule.funds.slotsHours', 'must rise'],
    ['no gap', { funds: { ...ROW, gapHours: 0 } }, 'policy.schedule.funds.gapHours', 'out of range'],
    ['a gap of months', { funds: { ...ROW, gapHours: 721 } }, 'policy.schedule.funds.gapHours', 'out of range'],
    ['hour 24', { funds: { ...ROW, localHour: 24 } }, 'policy.schedule.funds.localHour', 'no local hour'],
    [
      'a payday without its hour',
      { funds: { ...ROW, localHour: null } },
      'policy.schedule.funds.paydayShift',
      'needs a localHour',
    ],
    [
      'a payday word',
      { funds: { ...ROW, paydayShift: 'yes' } },
      'policy.schedule.funds.paydayShift',
      'neither true nor false',
    ],
    ['jitter in hours', { funds: { ...ROW, jitter: '2h' } }, 'policy.schedule.funds.jitter', 'no jitter'],
    ['jitter as number', { funds: { ...ROW, jitter: 45 } }, 'policy.schedule.funds.jitter', 'no jitter'],
    [
      'three re-presentments',
      { debit: { ...DEBIT, slotsHours: [48, 96, 144] } },
      'policy.schedule.debit.slotsHours',
      'two re-presentments',
    ],
    ['a debit after a day', { debit: { ...DEBIT, slotsHours: [24] } }, 'policy.schedule.debit.slotsHours', 'must rise'],
    ['debits a day apart', { debit: { ...DEBIT, gapHours: 24 } }, 'policy.schedule.debit.gapHours', 'out of range'],
  ])('%s is refused, and explained', (_, schedule, field, message) => {
    const problems = scheduleProblems(schedule);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ field, code: 'invalid_field' });
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.accepted).not.toBe('');
  });

  it.each([
    ['fast', 'one row per group: funds ambiguous limit technical debit unlisted'],
    [{}, 'one row or more, of funds ambiguous limit technical debit unlisted'],
    [{ hard: ROW }, 'funds ambiguous limit technical debit unlisted'],
    [{ funds: null }, 'slotsHours gapHours localHour paydayShift jitter'],
    [{ funds: { ...ROW, slots: [1] } }, 'slotsHours gapHours localHour paydayShift jitter'],
    [{ funds: { ...ROW, slotsHours: [] } }, '1 to 8 rising whole hours from 1 to 2160'],
    [{ funds: { ...ROW, slotsHours: [2, 1] } }, '1 to 8 rising whole hours from 1 to 2160'],
    [{ debit: { ...DEBIT, slotsHours: [] } }, '1 to 2 rising whole hours from 48 to 2160'],
    [{ funds: { ...ROW, gapHours: 0 } }, 'a whole number of hours from 1 to 720'],
    [{ debit: { ...DEBIT, gapHours: 47 } }, 'a whole number of hours from 48 to 720'],
    [{ funds: { ...ROW, localHour: -1 } }, 'a whole number from 0 to 23, or null'],
    [{ funds: { ...ROW, localHour: null } }, 'false, or a localHour'],
    [{ funds: { ...ROW, paydayShift: 1 } }, 'true or false'],
    [{ funds: { ...ROW, jitter: 'x45m' } }, 'minutes such as 45m, or a share such as 20%'],
    [{ funds: { ...ROW, jitter: '45mx' } }, 'minutes such as 45m, or a share such as 20%'],
    [{ funds: { ...ROW, jitter: '100%' } }, 'minutes such as 45m, or a share such as 20%'],
  ])('says of %j what is accepted: %s', (schedule, accepted) => {
    expect(scheduleProblems(schedule)).toMatchObject([{ accepted }]);
  });

  it('names the field that it was asked to name', () => {
    expect(scheduleProblems({ hard: ROW }, 'schedule')[0]?.field).toBe('schedule.hard');
    expect(blackoutProblems('x', 'hours')[0]?.field).toBe('hours');
  });

  it('is told everything that is wrong at once', () => {
    expect(scheduleProblems({ funds: { ...ROW, jitter: '', gapHours: -1 }, later: ROW })).toHaveLength(3);
    expect(scheduleProblems({ funds: {} }).map((one) => one.field)).toEqual(
      ['slotsHours', 'gapHours', 'localHour', 'paydayShift', 'jitter'].map((name) => `policy.schedule.funds.${name}`),
    );
  });

  it('stands in place of the preset’s rows that it names', () => {
    const rows = withOwnRows(TABLES.schedules.fast, { funds: ROW });
    expect(rows.funds).toEqual({ ...ROW, jitter: { kind: 'minutes', max: 45 } });
    expect(rows.limit).toBe(TABLES.schedules.fast.limit);
    expect(withOwnRows(TABLES.schedules.fast, null)).toBe(TABLES.schedules.fast);
    expect(() => withOwnRows(TABLES.schedules.fast, { funds: { ...ROW, jitter: '2h' } })).toThrow('jitter "2h"');
  });
});

describe('blackout hours', () => {
  it.each([
    [[]],
    [[{ from: 22, to: 8 }]],
    [[{ from: 0, to: 24, days: ['sat', 'sun'] }]],
    [[{ from: 0, to: 24, days: ['fri', 'sat', 'sun'] }]], // 72 hours in a row.
    [[{ from: 23, to: 0 }]],
  ])('%j are accepted', (blackout) => expect(blackoutProblems(blackout)).toEqual([]));

  it.each([
    ['a text', '22-8', 'policy.blackoutHours', 'not a list'],
    ['fifteen of them', Array.from({ length: 15 }, () => ({ from: 1, to: 2 })), 'policy.blackoutHours', 'too long'],
    ['no object', ['22-8'], 'policy.blackoutHours[0]', 'is not an object'],
    ['an hour that is none', [{ from: 24, to: 8 }], 'policy.blackoutHours[0]', 'no local hours'],
    ['an end that is none', [{ from: 22, to: 25 }], 'policy.blackoutHours[0]', 'no local hours'],
    ['half an hour', [{ from: 22.5, to: 8 }], 'policy.blackoutHours[0]', 'no local hours'],
    ['the same hour', [{ from: 8, to: 8 }], 'policy.blackoutHours[0]', 'no hour or the whole day'],
    ['an unknown field', [{ from: 1, to: 2, zone: 'UTC' }], 'policy.blackoutHours[0].zone', 'not a field'],
    ['an unknown day', [{ from: 1, to: 2, days: ['Saturday'] }], 'policy.blackoutHours[0].days', 'no list of days'],
    ['no day', [{ from: 1, to: 2, days: [] }], 'policy.blackoutHours[0].days', 'no list of days'],
    ['a day twice', [{ from: 1, to: 2, days: ['mon', 'mon'] }], 'policy.blackoutHours[0].days', 'no list of days'],
    ['always', [{ from: 0, to: 24 }], 'policy.blackoutHours', 'closes 168 hours'],
    [
      '73 hours',
      [
        { from: 0, to: 24, days: ['fri', 'sat', 'sun'] },
        { from: 0, to: 1, days: ['mon'] },
      ],
      'policy.blackoutHours',
      'closes 73 hours',
    ],
  ])('%s is refused, and explained', (_, blackout, field, message) => {
    const problems = blackoutProblems(blackout);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ field, code: 'invalid_field' });
    expect(problems[0]?.message).toContain(message);
  });

  it.each([
    ['x', 'up to 14 of {from, to, days}'],
    [['x'], 'from to days'],
    [[{ from: 1, to: 2, zone: 'UTC' }], 'from to days'],
    [[{ from: -1, to: 2 }], 'from 0 to 23 and to 0 to 24, whole hours'],
    [[{ from: 1, to: -1 }], 'from 0 to 23 and to 0 to 24, whole hours'],
    [[{ from: 8, to: 8 }], 'to other than from'],
    [[{ from: 1, to: 2, days: 'mon' }], 'sun mon tue wed thu fri sat'],
    [[{ from: 1, to: 2, days: ['mon', 'x'] }], 'sun mon tue wed thu fri sat'],
    [[{ from: 0, to: 24 }], 'at most 72 hours in a row'],
  ])('say of %j what is accepted: %s', (blackout, accepted) => {
    expect(blackoutProblems(blackout)).toMatchObject([{ accepted }]);
  });

  it('may be fourteen', () => {
    expect(blackoutProblems(Array.from({ length: 14 }, () => ({ from: 1, to: 2 })))).toEqual([]);
  });
});
