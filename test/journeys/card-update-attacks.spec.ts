import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { look, newLink, press, saveCard } from '../support/card-update.js';
import type { Merchant } from '../support/merchant.js';
import { World } from '../support/story.js';

let world: World;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
  merchant = await world.merchant();
});

afterAll(async () => {
  await world.stop();
});

const brand = (changes: Record<string, unknown>) =>
  world.operator.call('PATCH', `/api/clients/${merchant.clientId}`, { body: changes });
const pagesOf = async (token: string) => {
  const text = `SELECT 1 FROM card_update_pages p JOIN card_update_links l ON l.id = p.link_id WHERE l.token_hash = sha256($1::bytea)`;
  return (await world.database.query(text, [token])).rowCount;
};

describe('whoever guesses links', () => {
  it('is told the same of a link that never was, is used, has expired, or is written wrong', async () => {
    const used = await newLink(merchant);
    await look(await saveCard(used));
    const old = await newLink(merchant);
    await world.database.query(
      `UPDATE card_update_links SET expires_at = created_at WHERE token_hash = sha256($1::bytea)`,
      [old.token],
    );
    const live = await newLink(merchant);
    const near = `${live.token.slice(0, -1)}${live.token.endsWith('A') ? 'B' : 'A'}`;
    const guesses = [
      used.token,
      old.token,
      near,
      'A'.repeat(43),
      'x',
      `${live.token}A`,
      encodeURIComponent("' OR 1=1 --"),
    ];
    const told = await Promise.all(
      guesses.flatMap((token) => [
        look(`${world.app.url}/update-card/${token}`),
        press(`${world.app.url}/update-card/${token}`),
      ]),
    );
    const same = told.map(({ status, text, headers }) => {
      return JSON.stringify({ status, text, headers: { ...headers, date: null, 'x-request-id': null } });
    });
    expect(new Set(same).size).toBe(1);
    expect(told[0]).toMatchObject({ status: 404 });
    expect((await look(live.url)).status).toBe(200);
  });

  it('finds no card by another link’s page', async () => {
    const [mine, theirs] = [await newLink(merchant), await newLink(merchant)];
    const session = new URL(await saveCard(theirs)).searchParams.get('session_id') ?? '';
    expect(await look(`${mine.url}/done?session_id=${session}`)).toMatchObject({ status: 404 });
    expect(await look(`${mine.url}/done?session_id=cs_test_nothing`)).toMatchObject({ status: 404 });
    expect((await look(mine.url)).status).toBe(200);
  });

  it('finds no card in another client’s session', async () => {
    const other = await world.merchant();
    const session = new URL(await saveCard(await newLink(other))).searchParams.get('session_id') ?? '';
    const mine = await newLink(merchant);
    expect(await look(`${mine.url}/done?session_id=${session}`)).toMatchObject({ status: 404 });
  });
});

describe('a press', () => {
  it('from another site opens nothing at the gateway', async () => {
    const link = await newLink(merchant);
    for (const site of ['cross-site', 'same-site', 'none', '']) {
      const pressed = await press(link.url, { 'sec-fetch-site': site });
      expect(pressed).toMatchObject({ status: 303, location: link.token });
    }
    expect(await pagesOf(link.token)).toBe(0);
  });

  it('is taken ten times an hour', async () => {
    const link = await newLink(merchant);
    const pressed = await Promise.all(Array.from({ length: 12 }, () => press(link.url)));
    expect(pressed.filter(({ status }) => status === 303).length).toBe(10);
    const [late] = pressed.filter(({ status }) => status === 429);
    expect(Number(late?.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('reads nothing of what is sent with it', async () => {
    const link = await newLink(merchant);
    const form = 'success_url=https://evil.example/&customer=cus_other&mode=payment';
    const { location } = await press(link.url, {}, form);
    const { data } = await (await world.bank(merchant)).stripe.checkout.sessions.list({ limit: 1 });
    expect(location).toContain(data[0]?.id);
    expect(data[0]).toMatchObject({ mode: 'setup', success_url: `${link.url}/done?session_id={CHECKOUT_SESSION_ID}` });
  });
});

describe('the page', () => {
  it('may not be framed, kept, or told on, and runs nothing', async () => {
    const { headers } = await look((await newLink(merchant)).url);
    expect(headers).toMatchObject({
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    const policy = String(headers['content-security-policy']);
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/script-src|unsafe-inline|img-src/);
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    '</title><script>alert(1)</script>',
    '&lt;script&gt;',
    'Acme\r\nSet-Cookie: a=b',
    'Acme\u2028\u202Eemca',
  ])('shows the brand name %j as it is, and as nothing else', async (brandName) => {
    expect(await brand({ brandName })).toMatchObject({ status: 200 });
    const page = await look((await newLink(merchant)).url);
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/<script|<img|onfocus='|onerror=alert\(1\)>/);
    expect(page.headers['set-cookie']).toBeUndefined();
    await brand({ brandName: null });
  });

  it('takes pictures from the logo’s origin alone, and none whose address could change the policy', async () => {
    const shownWith = async (logoUrl: string) => {
      // Past the API, which refuses most of these.
      const text = 'UPDATE clients SET brand_logo_url = $2 WHERE id = $1';
      await world.database.query(text, [merchant.clientId, logoUrl]);
      const { text: page, headers } = await look((await newLink(merchant)).url);
      return { page, policy: String(headers['content-security-policy']) };
    };
    const shown = await shownWith('https://cdn.acme.example/logo.png?a="><script>');
    expect(shown.policy).toContain('img-src https://cdn.acme.example;');
    expect(shown.page).toContain('<img src="https://cdn.acme.example/logo.png?a=&quot;&gt;&lt;script&gt;"');
    const odd = [
      "https://a;script-src'unsafe-inline'.example/x.png",
      'https://a,b.example/x.png',
      'javascript:alert(1)',
      'data:image/svg+xml,<svg onload=alert(1)>',
      'no address',
    ];
    for (const logoUrl of odd) {
      const { page, policy } = await shownWith(logoUrl);
      expect({ logoUrl, policy, page }).toMatchObject({ policy: expect.not.stringMatching(/script-src|a,b|img-src/) });
      expect(page).not.toContain('<img');
    }
    await brand({ brandLogoUrl: null });
  });

  it('takes a colour only, and no style', async () => {
    expect(await brand({ brandPrimaryColor: 'red;}body{display:none' })).toMatchObject({ status: 400 });
    expect(await brand({ brandPrimaryColor: '#12345' })).toMatchObject({ status: 400 });
  });
});
