import { existsSync } from 'node:fs';

import { type Browser, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser of this machine; null where it has none, and the tests that want one are skipped. */
export const BROWSER_PATH = PLACES.find((path) => existsSync(path)) ?? null;

export const NO_BROWSER = `skipped: no browser at ${PLACES.join(', ')} (Debian: apt install chromium)`;

/** @throws where there is none. */
export async function openBrowser(): Promise<Browser> {
  if (BROWSER_PATH === null) throw new Error(NO_BROWSER);
  // Containers and root give Chromium no sandbox of its own; what it is shown here is ours.
  return chromium.launch({ executablePath: BROWSER_PATH, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}
