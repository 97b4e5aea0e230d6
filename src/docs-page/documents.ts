import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Document {
  contentType: string;
  content: string;
}

const require = createRequire(import.meta.url);
const HERE = dirname(fileURLToPath(import.meta.url));

/** The contract as it stands beside the code, both in the repository and where it was built. @throws when it is missing. */
export function readContract(): string {
  return readFileSync(join(HERE, '..', '..', 'openapi.yaml'), 'utf8');
}

/** The files of the page by name. Two are swagger-ui's own, served from here: the page loads nothing from elsewhere. */
export function readAssets(): ReadonlyMap<string, Document> {
  const folder = dirname(require.resolve('swagger-ui-dist/package.json'));
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  return new Map([
    ['swagger-ui.css', { contentType: 'text/css; charset=utf-8', content: read('swagger-ui.css') }],
    ['swagger-ui-bundle.js', { contentType: SCRIPT, content: read('swagger-ui-bundle.js') }],
    ['initializer.js', { contentType: SCRIPT, content: INITIALIZER }],
  ]);
}

const SCRIPT = 'text/javascript; charset=utf-8';

// A file of our own, as the policy allows no inline script. `validatorUrl` null: nothing is sent to swagger.io.
const INITIALIZER = `window.addEventListener('load', () => {
  window.ui = SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#docs',
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
`;

// An empty icon of its own: without one, browsers ask for /favicon.ico and show a 404 in their console.
export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Revtain API</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <main id="docs"><p>The contract itself: <a href="/openapi.yaml">openapi.yaml</a></p></main>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/initializer.js"></script>
  </body>
</html>
`;

// swagger-ui sets style attributes and draws its icons from data: URLs; scripts and calls stay on this origin.
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
