import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';

import { BROWSER_PATH, NO_BROWSER, openBrowser } from '../support/browser.js';
import { newLink } from '../support/card-update.js';
import type { Merchant } from '../support/merchant.js';
import { World } from '../support/story.js';

const OLD = 'pm_test_insufficient_funds';
const QUEUED = { originalDeclineCode: 'insufficient_funds', paymentMethodToken: OLD };
const SHAPES = [
  { width: 360, height: 740, colorScheme: 'light' },
  { width: 360, height: 740, colorScheme: 'dark' },
  { width: 1280, height: 800, colorScheme: 'light' },
  { width: 1280, height: 800, colorScheme: 'dark' },
] as const;
/** A merchant's picture: 96 by 32, one colour. */
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="32"><rect width="96" height="32" fill="#b3261e"/></svg>';

if (BROWSER_PATH === null) console.warn(NO_BROWSER);
const withBrowser = BROWSER_PATH === null ? describe.skip : describe;

withBrowser('a customer’s browser, without scripts', () => {
  let world: World;
  let merchant: Merchant;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let shop: Server;
  const complaints: string[] = [];

  beforeAll(async () => {
    world = await World.start();
    shop = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(LOGO);
    });
    await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
    const brandLogoUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}/logo.svg`;
    merchant = await world.merchant({ brandName: 'Acme Tea <b>& Co</b>', brandLogoUrl, brandPrimaryColor: '#f2b705' });
    browser = await openBrowser();
    context = await browser.newContext({ javaScriptEnabled: false });
    page = await context.newPage();
    page.on('console', (message) => complaints.push(message.text()));
  });

  afterAll(async () => {
    await browser.close();
    await new Promise((resolve) => shop.close(resolve));
    await world.stop();
  });

  it('goes the whole way by the keyboard: our page, the gateway’s, and back', async () => {
    const { body } = await merchant.execute(QUEUED);
    const returnUrl = 'https://acme.example/billing';
    const link = await newLink(merchant, { paymentMethodToken: OLD, transactionId: body.transactionId, returnUrl });
    await page.goto(link.url);
    expect(await page.title()).toBe('Update your card – Acme Tea <b>& Co</b>');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Update your card');
    expect(await page.getByRole('img', { name: 'Acme Tea <b>& Co</b>' }).isVisible()).toBe(true);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Test gateway' }).waitFor();
    await page.getByLabel('Card').fill('pm_card_mastercard');
    await page.getByRole('button', { name: 'Save card' }).click();
    await page.getByRole('heading', { name: 'Your card is updated' }).waitFor();
    expect(page.url().startsWith(`${link.url}/done?session_id=cs_test_`)).toBe(true);
    expect(await page.getByRole('link', { name: /^Back to/ }).getAttribute('href')).toBe(returnUrl);
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'card_updated' });
    await page.goto(link.url);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('This link no longer works');
    expect(complaints.filter((text) => /Content Security Policy|Refused/.test(text))).toEqual([]);
  });

  it.each(SHAPES)(
    'fits $width pixels in $colorScheme, with text that can be read',
    async ({ colorScheme, ...viewport }) => {
      const { url } = await newLink(merchant, { paymentMethodToken: OLD });
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.goto(url);
      const seen = await page.evaluate<SeenPage>(READ_PAGE);
      expect(seen.scrollsSideways).toBe(false);
      expect(seen.language).toBe('en');
      expect(seen.buttonHeight).toBeGreaterThanOrEqual(44);
      for (const { text, ratio } of seen.contrasts)
        expect({ text, ratio, enough: ratio >= 4.5 }).toMatchObject({ enough: true });
      expect(seen.contrasts.length).toBeGreaterThan(3);
    },
  );

  it('is shown in nobody’s frame', async () => {
    const { url } = await newLink(merchant, { paymentMethodToken: OLD });
    const around = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<iframe src="${url}" name="inner"></iframe>`);
    });
    await new Promise<void>((resolve) => around.listen(0, '127.0.0.1', resolve));
    try {
      await page.goto(`http://127.0.0.1:${(around.address() as AddressInfo).port}/`);
      expect(await page.frameLocator('iframe').getByRole('button').count()).toBe(0);
    } finally {
      around.closeAllConnections();
      await new Promise((resolve) => around.close(resolve));
    }
  });

  it('sends no press from another site on to the gateway', async () => {
    const { url } = await newLink(merchant, { paymentMethodToken: OLD });
    const elsewhere = createServer((_request, response) => {
      const form = `<form method="post" action="${url.replace('127.0.0.1', 'localhost')}"><button>Win</button></form>`;
      response.writeHead(200, { 'content-type': 'text/html' }).end(form);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    try {
      await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
      await page.getByRole('button').click();
      await page.getByRole('heading', { name: 'Update your card' }).waitFor();
    } finally {
      elsewhere.closeAllConnections();
      await new Promise((resolve) => elsewhere.close(resolve));
    }
  });
});

interface SeenPage {
  scrollsSideways: boolean;
  language: string;
  buttonHeight: number;
  contrasts: { text: string; ratio: number }[];
}

/** Runs in the browser: each text's contrast with what is behind it, by WCAG 2.2, and whether all fits. */
const READ_PAGE = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('h1, p, button, a')].filter((each) => each.textContent.trim() !== '');
  const contrasts = texts.map((each) => {
    const [a, b] = [luminance(channels(getComputedStyle(each).color)), luminance(ground(each))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return { text: each.textContent.trim().slice(0, 40), ratio };
  });
  return {
    scrollsSideways: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    language: document.documentElement.lang,
    buttonHeight: document.querySelector('button').getBoundingClientRect().height,
    contrasts,
  };
})()`;
