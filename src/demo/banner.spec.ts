import { describe, expect, it } from '@jest/globals';

import { bannerText } from './banner.js';

const facts = {
  url: 'http://127.0.0.1:3000',
  adminKeyFile: '/srv/app/.data/admin.key',
  apiKey: 'rev_key',
  keyFile: '/srv/app/.data/demo.key',
  webhookUrl: 'http://127.0.0.1:41000/webhooks/revtain',
  clientNow: new Date('2027-01-30T00:00:00.000Z'),
  run: '3f2a',
};

describe('the banner', () => {
  const text = bannerText(facts);

  it('names the keys, where they are kept, and where webhooks go', () => {
    for (const word of [facts.apiKey, facts.keyFile, facts.adminKeyFile, facts.webhookUrl]) {
      expect(text).toContain(word);
    }
  });

  it('has four debts of this start and moves the clock from where the merchant stands', () => {
    const sent = bodies();
    expect(sent.map((body) => body['reference'] ?? body['advanceTo'])).toEqual([
      'order-3f2a-1',
      'order-3f2a-2',
      '2027-02-09T00:00:00.000Z',
      'order-3f2a-3',
      '2027-03-11T00:00:00.000Z',
      'order-3f2a-4',
    ]);
    for (const body of sent.filter((each) => 'reference' in each))
      expect(body['idempotencyKey']).toBe(body['reference']);
  });

  function bodies(): Record<string, unknown>[] {
    return [...text.matchAll(/^ {2}-d '(.*)'$/gm)].map(([, json]) => JSON.parse(json ?? '') as Record<string, unknown>);
  }
});
