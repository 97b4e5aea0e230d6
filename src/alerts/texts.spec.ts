import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { ALERT_KINDS } from '../clients/alert-settings.js';
import { minorDigitsOf } from '../recovery/money.js';
import { SEVERITIES } from './alert.js';
import { emailHtml, emailSubject, emailText } from './email-text.js';
import { cutSeptets, SEPTETS_MAX, septetsOf, toGsm7 } from './gsm7.js';
import type { MessageContent, OutgoingMessage } from './message.js';
import { moneyText, plainMoneyText } from './money-text.js';
import { pagerDutyEvent } from './pagerduty-event.js';
import { slackMessage } from './slack-message.js';
import { smsText } from './sms-text.js';
import { SummaryBuilder } from './summary.js';
import { webhookBody } from './webhook-body.js';

const LINKS = {
  console: 'https://revtain.example/console',
  unsubscribe: 'https://revtain.example/alerts/unsubscribe/x',
};

interface DrawnAlert {
  kind: string;
  facts: Record<string, string | number | boolean | null>;
}

function contentOf(clientName: string, parts: DrawnAlert[][], changes: Partial<MessageContent> = {}): MessageContent {
  return {
    purpose: 'firing',
    severity: 'warning',
    clientId: 'cli_01KB5Z7M3QG8T2V4XW6Y9ACDEF',
    clientName,
    livemode: true,
    locale: 'en',
    zone: 'UTC',
    parts: parts.map((alerts, index) => {
      const summary = new SummaryBuilder();
      for (const { kind, facts } of alerts) {
        const createdAt = new Date('2026-11-21T12:00:00Z');
        summary.add({
          id: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
          kind,
          severity: 'warning',
          facts,
          createdAt,
          resolvedAt: null,
        });
      }
      const kind = alerts[0]?.kind ?? 'late_success';
      return {
        key: `${kind}:${index}`,
        kind,
        subject: null,
        purpose: 'firing' as const,
        severity: 'warning' as const,
        afterNumber: 0,
        upToNumber: alerts.length,
        tookOver: [],
        open: 0,
        summary: summary.done(),
      };
    }),
    hourlyCap: parts.length > 1 ? 12 : null,
    inPlaceOf: [],
    createdAt: '2026-11-21T12:00:30.000Z',
    ...changes,
  };
}

const money = (amount: number, currency: string, bucket = 'hard'): DrawnAlert => ({
  kind: 'recovery_failed',
  facts: { transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF', amount, currency, bucket },
});
const outgoing = (content: MessageContent): OutgoingMessage => ({
  id: '01KB5Z7M3QG8T2V4XW6Y9ACDEH',
  notificationId: '01KB5Z7M3QG8T2V4XW6Y9ACDEG',
  clientId: content.clientId,
  channel: 'WEBHOOK',
  target: null,
  threadId: '01KB5Z7M3QG8T2V4XW6Y9ACDEG',
  content,
  createdAt: new Date(content.createdAt),
});

describe('amounts', () => {
  it.each([
    [2_500, 'USD', 'en', '$25.00', 'USD 25.00'],
    [123_450, 'EUR', 'de-DE', '1.234,50 €', 'EUR 1234.50'],
    [2_500, 'JPY', 'en', '¥2,500', 'JPY 2500'],
    [2_500, 'HUF', 'en', 'HUF 25.00', 'HUF 25.00'],
    [2_500, 'ISK', 'en', 'ISK 25.00', 'ISK 25.00'],
    [12_340, 'KWD', 'en', 'KWD 12.340', 'KWD 12.340'],
    [5, 'USD', 'en', '$0.05', 'USD 0.05'],
    [9_007_199_254_740_991, 'USD', 'en', '$90,071,992,547,409.91', 'USD 90071992547409.91'],
  ])('%d %s in %s is %s', (amountMinor, currency, locale, written, plain) => {
    expect(moneyText(amountMinor, currency, locale).replaceAll('\u00a0', ' ')).toBe(written);
    expect(plainMoneyText(amountMinor, currency)).toBe(plain);
  });
});

describe('a summary', () => {
  it('adds up by currency and bucket, and keeps the ten largest by their face value', () => {
    const alerts = Array.from({ length: 30 }, (_, index) =>
      money(100 * (index + 1), index % 2 === 0 ? 'USD' : 'JPY', index < 20 ? 'hard' : 'blended'),
    );
    const summary = contentOf('Acme', [alerts]).parts[0]?.summary;
    expect(summary).toMatchObject({
      count: 30,
      amounts: [
        { currency: 'JPY', amountMinor: 24_000, count: 15 },
        { currency: 'USD', amountMinor: 22_500, count: 15 },
      ],
      buckets: [
        { bucket: 'hard', count: 20 },
        { bucket: 'blended', count: 10 },
      ],
    });
    expect(summary?.largest.map(({ amountMinor }) => amountMinor)).toEqual([
      3000, 2800, 2600, 2400, 2200, 2000, 1800, 1600, 1400, 1200,
    ]);
  });

  it('is the same total however the alerts are shared out over messages', () => {
    const alert = fc.record({
      amount: fc.integer({ min: 50, max: 99_999_999 }),
      currency: fc.constantFrom('USD', 'EUR', 'JPY'),
    });
    fc.assert(
      fc.property(fc.array(alert, { maxLength: 60 }), fc.nat(60), (drawn, cut) => {
        const alerts = drawn.map(({ amount, currency }) => money(amount, currency));
        const totals = (parts: DrawnAlert[][]) => {
          const sums = new Map<string, number>();
          for (const { summary } of contentOf('Acme', parts).parts) {
            for (const { currency, amountMinor } of summary.amounts)
              sums.set(currency, (sums.get(currency) ?? 0) + amountMinor);
          }
          return Object.fromEntries([...sums].sort());
        };
        expect(totals([alerts.slice(0, cut), alerts.slice(cut)])).toEqual(totals([alerts]));
      }),
    );
  });
});

describe('a text message', () => {
  it('says whose, what, how much and how much more', () => {
    const content = contentOf('Acme', [
      [money(2_500, 'USD'), money(1_000, 'EUR')],
      [{ kind: 'late_success', facts: {} }],
    ]);
    expect(smsText(content)).toBe('Acme: 2 recoveries failed, EUR 10.00, USD 25.00 +1 more');
    expect(smsText({ ...content, livemode: false, purpose: 'test', parts: [] })).toBe(
      '[test] Acme: test alert of Revtain. Nothing is wrong.',
    );
  });

  it('is always within 160 septets of the GSM alphabet', () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
    );
    const part = fc.array(
      fc.constantFrom(...['USD', 'JPY', 'KWD', 'EUR', 'ISK'].map((currency) => money(99_999_999, currency))),
      { minLength: 1, maxLength: 12 },
    );
    const reason = fc.array(fc.string({ maxLength: 120 }), { maxLength: 3 });
    fc.assert(
      fc.property(name, fc.array(part, { minLength: 1, maxLength: 20 }), reason, (clientName, parts, inPlaceOf) => {
        const text = smsText(contentOf(clientName, parts, { inPlaceOf, livemode: false }));
        expect(septetsOf(text)).toBeLessThanOrEqual(SEPTETS_MAX);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['Ünïcödé – “ok”…', 'Ünicödé - "ok"...'],
    ['Żółw 東京 🐢', 'Zo?w ?? ?'],
    ['€100 {a}', '€100 {a}'],
  ])('%s becomes %s', (text, expected) => {
    expect(toGsm7(text)).toBe(expected);
  });

  it('counts the extended characters twice', () => {
    expect(septetsOf('€[]')).toBe(6);
    expect(cutSeptets('a€b', 2)).toBe('a');
  });
});

describe('every message', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('a\r\nBcc: x@y.example', '<script>alert(1)</script>', '<!channel>'),
  );
  const alert = fc.record({
    kind: fc.oneof(fc.constantFrom<string>(...ALERT_KINDS), fc.string({ minLength: 1, maxLength: 40 })),
    facts: fc.dictionary(
      fc.constantFrom('transactionId', 'code', 'since', 'endpointId', 'note', 'customerEmail', 'currency', 'bucket'),
      fc.oneof(fc.integer(), fc.boolean(), anyText, fc.constantFrom('USD', 'jane@customer.example')),
    ),
  });
  const drawn = fc.record({
    clientName: anyText,
    parts: fc.array(fc.array(alert, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 }),
    severity: fc.constantFrom(...SEVERITIES),
    locale: fc.constantFrom('en', 'de-AT', 'ar', 'ja'),
  });

  it('keeps to its own limits, whatever names and facts hold', () => {
    fc.assert(
      fc.property(drawn, ({ clientName, parts, severity, locale }) => {
        const content = contentOf(clientName, parts, { severity, locale });
        const subject = emailSubject(content);
        expect(subject).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u);
        expect([...subject].length).toBeLessThanOrEqual(150);
        const html = emailHtml(content, LINKS);
        expect(html).not.toMatch(/<script|<!channel/);
        const slack = slackMessage(content, LINKS.console);
        expect(slack.blocks.length).toBeLessThanOrEqual(50);
        // A header is plain text, in which nothing mentions anybody.
        const marked = slack.blocks.filter(({ type }) => type !== 'header');
        expect(JSON.stringify([slack.text, marked])).not.toContain('<!channel>');
        const event = pagerDutyEvent(outgoing(content), 'R'.repeat(32), LINKS.console);
        expect(event.dedup_key.length).toBeLessThanOrEqual(255);
        if (event.event_action === 'trigger') expect([...event.payload.summary].length).toBeLessThanOrEqual(1_024);
        const all = [
          emailText(content, LINKS),
          html,
          smsText(content),
          JSON.stringify(slack),
          JSON.stringify(event),
          webhookBody(outgoing(content), LINKS.console).toString(),
        ];
        for (const text of all) expect(text).not.toContain('jane@customer.example');
      }),
      { numRuns: 150 },
    );
  });

  it('of the end says that it is over, and resolves the incident it opened', () => {
    const [part] = contentOf('Acme', [[{ kind: 'queue_behind', facts: { count: 3 } }]]).parts;
    if (!part) throw new Error('no part');
    const firing = contentOf('Acme', [], { parts: [part] });
    const over = contentOf('Acme', [], { purpose: 'resolved', parts: [{ ...part, purpose: 'resolved' }] });
    expect(emailSubject(over)).toBe('Acme: Resolved: the queue has caught up');
    const [opened, closed] = [firing, over].map((content) => pagerDutyEvent(outgoing(content), 'R', LINKS.console));
    expect(closed).toEqual({ routing_key: 'R', event_action: 'resolve', dedup_key: opened?.dedup_key });
    expect(JSON.parse(webhookBody(outgoing(over), LINKS.console).toString())).toMatchObject({
      event: 'alert.resolved',
      alerts: [{ status: 'resolved' }],
    });
  });

  it('speaks of declines only where something was declined', () => {
    const facts = { transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF', amount: 2_500, currency: 'USD' };
    const came = contentOf('Acme', [[{ kind: 'late_success', facts }]]);
    expect(emailText(came, LINKS)).toContain('$25.00');
    expect(emailText(came, LINKS)).not.toContain('By decline');
    expect(emailText(contentOf('Acme', [[money(2_500, 'USD')]]), LINKS)).toContain('By decline: hard 1');
  });

  it('of a test account says so on every channel that people read', () => {
    const content = contentOf('Acme', [[{ kind: 'late_success', facts: {} }]], { livemode: false });
    const event = pagerDutyEvent(outgoing(content), 'R', null);
    const summary = event.event_action === 'trigger' ? event.payload.summary : '';
    for (const text of [summary, emailSubject(content), smsText(content), slackMessage(content, null).text]) {
      expect(text).toContain('[test] Acme: ');
    }
  });

  it('knows the digits of every currency it may meet', () => {
    expect(minorDigitsOf('USD')).toBe(2);
    expect(moneyText(1, 'XXX', 'en')).toContain('1');
  });
});
