import { describe, expect, it } from '@jest/globals';

import { DAY_MS } from './local-time.js';
import {
  mainZoneOf,
  policyFromJson,
  policyToJson,
  type PolicyRequest,
  snapshotPolicy,
  validatePolicyRequest,
} from './policy.js';
import { TABLES } from './tables.js';

const NOW = new Date('2026-06-03T09:00:00Z');
const days = (count: number) => new Date(NOW.getTime() + count * DAY_MS);
const bare = { policy: null, timezone: null, billingCycleDay: null };

describe('a policy, fixed at acceptance', () => {
  it('is the default where nobody says otherwise', () => {
    expect(snapshotPolicy({ request: null, client: bare, cardCountry: null })).toEqual({
      preset: 'standard',
      rows: TABLES.schedules.standard,
      attemptsMax: 4,
      notBefore: null,
      timezone: 'UTC',
      billingCycleDay: null,
      firstCharge: 'auto',
      bankCountry: null,
      blackoutHours: [],
    });
  });

  it('knows whose bank holidays count: the card’s country, else the main zone’s', () => {
    const country = (cardCountry: string | null, timezone: string | null) =>
      snapshotPolicy({ request: null, client: { ...bare, timezone }, cardCountry }).bankCountry;
    expect(country('de', 'America/New_York')).toBe('DE');
    expect(country(null, 'America/New_York')).toBe('US');
    expect(country(null, 'Etc/UTC')).toBeNull();
  });

  it('takes a merchant’s own rows in place of the preset’s, and its own hours and cap', () => {
    const row = { slotsHours: [30, 60], gapHours: 6, localHour: 9, paydayShift: true, jitter: '20%' };
    const policy: PolicyRequest = {
      schedule: { funds: row },
      blackoutHours: [{ from: 22, to: 7 }],
      visaReattemptsMax: 20,
    };
    const own = snapshotPolicy({ request: null, client: { ...bare, policy }, cardCountry: null });
    expect(own.rows.funds).toEqual({ ...row, jitter: { kind: 'share', max: 0.2 } });
    expect(own.rows.limit).toBe(TABLES.schedules.standard.limit);
    expect(own).toMatchObject({ blackoutHours: [{ from: 22, to: 7 }], visaReattemptsMax: 20 });
    // A preset that the request names is that preset, without the client's own rows.
    const named = snapshotPolicy({ request: { preset: 'fast' }, client: { ...bare, policy }, cardCountry: null });
    expect(named.rows).toBe(TABLES.schedules.fast);
    const stored = JSON.parse(JSON.stringify(policyToJson(own))) as ReturnType<typeof policyToJson>;
    expect(policyFromJson(stored)).toEqual(own);
  });

  it('takes the request’s word before the client’s', () => {
    const client = {
      policy: { preset: 'fast', attemptsMax: 3, firstCharge: 'now' } as PolicyRequest,
      timezone: 'Europe/Berlin',
      billingCycleDay: 5,
    };
    const own = snapshotPolicy({ request: null, client, cardCountry: 'US' });
    const clients = {
      preset: 'fast',
      attemptsMax: 3,
      firstCharge: 'now',
      timezone: 'Europe/Berlin',
      billingCycleDay: 5,
    };
    expect(own).toMatchObject({ ...clients, rows: TABLES.schedules.fast });
    const request: PolicyRequest = { preset: 'patient', attemptsMax: 8, timezone: 'Asia/Tokyo', firstCharge: 'auto' };
    expect(snapshotPolicy({ request, client, cardCountry: 'US' })).toMatchObject({ ...request, billingCycleDay: 5 });
  });

  it.each([
    ['US', 'America/New_York'],
    ['gb', 'Europe/London'],
    ['BR', 'America/Sao_Paulo'],
    ['IN', 'Asia/Kolkata'],
    ['ZZ', 'UTC'],
    [null, 'UTC'],
  ])('reads local hours of a card from %s in %s', (cardCountry, timezone) => {
    expect(snapshotPolicy({ request: null, client: bare, cardCountry }).timezone).toBe(timezone);
    expect(mainZoneOf(cardCountry) ?? 'UTC').toBe(timezone);
  });

  it('comes back from storage as it went in', () => {
    const policy = snapshotPolicy({ request: { notBefore: days(1) }, client: bare, cardCountry: 'US' });
    const stored = JSON.parse(JSON.stringify(policyToJson(policy))) as ReturnType<typeof policyToJson>;
    expect(stored.notBefore).toBe('2026-06-04T09:00:00.000Z');
    expect(policyFromJson(stored)).toEqual(policy);
    expect(() => policyFromJson({ ...stored, notBefore: 'soon' })).toThrow('notBefore');
  });
});

describe('what a request may ask for', () => {
  it.each([
    [{}],
    [{ attemptsMax: 1 }],
    [{ attemptsMax: 8 }],
    [{ deadlineAt: days(90) }],
    [{ deadlineAt: new Date(NOW.getTime() + 1) }],
    [{ notBefore: days(-5) }],
    [{ notBefore: days(80), deadlineAt: days(90) }],
    [{ timezone: 'Europe/Berlin', billingCycleDay: 31 }],
    [{ visaReattemptsMax: 15, blackoutHours: [{ from: 22, to: 8 }] }],
    [{ visaReattemptsMax: 20, blackoutHours: [] }],
  ] as [PolicyRequest][])('%j is accepted', (request) => expect(validatePolicyRequest(request, null, NOW)).toEqual([]));

  it.each([
    [{ attemptsMax: 0 }, 'policy.attemptsMax'],
    [{ attemptsMax: 9 }, 'policy.attemptsMax'],
    [{ attemptsMax: 2.5 }, 'policy.attemptsMax'],
    [{ deadlineAt: NOW }, 'policy.deadlineAt'],
    [{ deadlineAt: new Date(days(90).getTime() + 1) }, 'policy.deadlineAt'],
    [{ notBefore: days(28) }, 'policy.notBefore'],
    [{ timezone: 'Mars/Olympus' }, 'policy.timezone'],
    [{ timezone: '+02:00' }, 'policy.timezone'],
    [{ billingCycleDay: 0 }, 'policy.billingCycleDay'],
    [{ billingCycleDay: 32 }, 'policy.billingCycleDay'],
    [{ visaReattemptsMax: 14 }, 'policy.visaReattemptsMax'],
    [{ visaReattemptsMax: 21 }, 'policy.visaReattemptsMax'],
    [{ blackoutHours: [{ from: 9, to: 9 }] }, 'policy.blackoutHours[0]'],
    [{ schedule: {} }, 'policy.schedule'],
  ] as [PolicyRequest, string][])('%j is refused at %s', (request, field) => {
    const problems = validatePolicyRequest(request, null, NOW);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ field, code: 'invalid_field' });
  });

  it.each([
    [days(0), 0],
    [days(-90), 0],
    [days(-90.001), 1],
    [new Date(NOW.getTime() + 1), 1],
  ])('a charge that failed at %s gives %i problem', (failedAt, count) => {
    const problems = validatePolicyRequest({}, failedAt, NOW);
    expect(problems.map((one) => one.field)).toEqual(count === 0 ? [] : ['originalFailedAt']);
  });

  it.each([
    [{ attemptsMax: 0 }, 'is out of range', 'a whole number from 1 to 8'],
    [{ deadlineAt: NOW }, 'is out of range', 'an instant in the future, at most 90 days away'],
    [{ notBefore: days(28) }, 'leaves no time before the deadline', 'an instant at least an hour before deadlineAt'],
    [{ timezone: 'Mars/Olympus' }, 'is not a known time zone', 'an IANA name, such as Europe/Berlin'],
    [{ billingCycleDay: 0 }, 'is out of range', 'a day of the month from 1 to 31'],
    [{ visaReattemptsMax: 21 }, 'is out of range', "a whole number from 15 to 20, the network's own cap"],
  ] as [PolicyRequest, string, string][])('%j: what is wrong, and what is accepted', (request, message, accepted) => {
    expect(validatePolicyRequest(request, null, NOW)).toMatchObject([{ message, accepted }]);
  });

  it('tells when a charge may have failed', () => {
    const [problem] = validatePolicyRequest({}, days(1), NOW);
    expect(problem).toMatchObject({
      message: 'is out of range',
      accepted: 'an instant in the past, at most 90 days ago',
    });
  });

  it('takes a start to the millisecond of the last hour before the deadline', () => {
    const lastHour = new Date(days(10).getTime() - 3_600_000);
    const deadlineAt = days(10);
    expect(validatePolicyRequest({ notBefore: lastHour, deadlineAt }, null, NOW)).toEqual([]);
    const late = new Date(lastHour.getTime() + 1);
    expect(validatePolicyRequest({ notBefore: late, deadlineAt }, null, NOW)).toHaveLength(1);
  });

  it('says everything that is wrong at once', () => {
    expect(validatePolicyRequest({ attemptsMax: 0, billingCycleDay: 0 }, days(1), NOW)).toHaveLength(3);
  });
});
