import { html, type Html } from '../platform/http/html.js';
import type { Page } from '../platform/http/plain-page.js';
import { type Brand, brandOf, NO_BRAND } from './brand.js';
import type { LiveLink } from './clicks.service.js';

/** A test client's gateway page is on this machine. */
const LOOPBACK_TARGETS = ['http://127.0.0.1:*', 'http://localhost:*'];

/** Asks for the one press that opens the gateway's page. */
export function askPage({ link, client }: LiveLink): Page {
  const brand = brandOf(client);
  const until = dayAndTime(link.expiresAt);
  return {
    ...branded(brand, 200, `Update your card – ${brand.name}`),
    // The gateway's page may be at a domain of the merchant's own.
    formTargets: ['https:', ...(client.isTest ? LOOPBACK_TARGETS : [])],
    content: html`${header(brand)}
      <h1>Update your card</h1>
      <p>
        Give a new card for your payments to ${brand.name}. You enter it on the payment provider’s secure page; what is
        still open is then paid with it.
      </p>
      <form method="post"><button type="submit">Enter a new card</button></form>
      <p class="soft">This link works once, until ${until}.</p>`,
  };
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** As `24 November 2026, 19:16 UTC`: a customer's time zone is nothing that we know. */
function dayAndTime(instant: Date): string {
  const month = MONTHS[instant.getUTCMonth()] ?? '';
  const time = instant.toISOString().slice(11, 16);
  return `${instant.getUTCDate()} ${month} ${instant.getUTCFullYear()}, ${time} UTC`;
}

/** The card was saved. Nothing is said of charges: the merchant tells what came of them. */
export function savedPage({ link, client }: LiveLink): Page {
  const brand = brandOf(client);
  return {
    ...branded(brand, 200, `Card updated – ${brand.name}`),
    content: html`${header(brand)}
      <h1>Your card is updated</h1>
      <p>
        Thank you. ${brand.name} uses your new card from now on, also for what is still open. You can close this page.
      </p>
      ${back(link.returnUrl, brand)}`,
  };
}

/** The gateway has not said yet that the card is saved. */
export function waitingPage({ link, client }: LiveLink, here: string): Page {
  const brand = brandOf(client);
  return {
    ...branded(brand, 200, `Almost done – ${brand.name}`),
    content: html`${header(brand)}
      <h1>Almost done</h1>
      <p>
        The payment provider has not confirmed your card yet. If you finished there, it will be used as soon as it is
        confirmed.
      </p>
      <p><a href="${here}">Check again</a></p>
      ${back(link.returnUrl, brand)}`,
  };
}

/** The same for a link that never was, is used or has expired. */
export function deadPage(): Page {
  return plain(
    404,
    'This link no longer works',
    'It was used, has expired, or is not complete. Ask whoever sent it to you for a new one.',
  );
}

export function tooManyPage(): Page {
  return plain(
    429,
    'Please try again later',
    'This link was opened many times within an hour. It works again after a while.',
  );
}

export function unavailablePage(): Page {
  return plain(
    503,
    'Please try again in a minute',
    'The payment provider can not be reached at the moment. Your link still works.',
  );
}

function plain(status: number, title: string, text: string): Page {
  return {
    ...branded(NO_BRAND, status, title),
    content: html`<h1>${title}</h1>
      <p>${text}</p>`,
  };
}

function branded({ color, onColor, logoOrigin }: Brand, status: number, title: string): Omit<Page, 'content'> {
  return { status, title, color, onColor, imageOrigin: logoOrigin };
}

function header({ name, logoUrl }: Brand): Html {
  const shown = logoUrl === null ? name : html`<img src="${logoUrl}" alt="${name}" referrerpolicy="no-referrer" />`;
  return html`<p class="brand">${shown}</p>`;
}

function back(returnUrl: string | null, { name }: Brand): Html | null {
  return returnUrl === null ? null : html` <p><a href="${returnUrl}" rel="noreferrer">Back to ${name}</a></p>`;
}
