import { createHash } from 'node:crypto';

import type { FastifyReply } from 'fastify';

import { type Html, html } from './html.js';

/** A page for people: one column, no script, nothing loaded but what it says. */
export interface Page {
  status: number;
  title: string;
  content: Html;
  /** `#rrggbb`, checked. */
  color: string;
  onColor: string;
  /** The only origin that images may come from. */
  imageOrigin?: string | null;
  /** Where its form may lead, beyond this server: browsers hold the redirect that answers it to this too. */
  formTargets?: readonly string[];
}

/** Sends a page with a policy that lets nothing run, and nothing load or be framed but what the page names. */
export function sendPage(reply: FastifyReply, page: Page): void {
  const style = styleOf(page);
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    ...(page.imageOrigin ? [`img-src ${page.imageOrigin}`] : []),
    ["form-action 'self'", ...(page.formTargets ?? [])].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  void reply
    .status(page.status)
    .header('content-type', 'text/html; charset=utf-8')
    .header('content-security-policy', policy.join('; '))
    .send(documentOf(page, style));
}

function documentOf({ title, content }: Page, style: string): string {
  const { text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
      </head>
    </html> `;
  // The style holds nothing of a merchant's but a colour that was checked, and is not escaped: its hash stands in the policy.
  return `${text}<style>${style}</style>\n</head>\n<body><main>\n${content.text}\n</main></body>\n</html>\n`;
}

function styleOf({ color, onColor }: Page): string {
  return `
:root{color-scheme:light dark;--ground:#f4f5f7;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--brand:${color};--on-brand:${onColor}}
@media(prefers-color-scheme:dark){:root{--ground:#0f1216;--paper:#191e24;--ink:#eceff3;--soft:#a4adb8;--line:#353d47}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem 1rem;background:var(--ground);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:26rem;padding:2.25rem 2rem 2rem;background:var(--paper);border:1px solid var(--line);border-radius:1rem;box-shadow:inset 0 .375rem 0 var(--brand);overflow-wrap:anywhere}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.01em}
p{margin:0 0 1rem}p:last-child{margin-bottom:0}
.brand{margin:0 0 1.5rem;font-weight:600;color:var(--soft)}
.brand img{display:block;max-width:100%;height:3rem;object-fit:contain;object-position:left}
@media(prefers-color-scheme:dark){.brand img{height:4rem;padding:.5rem .75rem;background:#fff;border-radius:.5rem}}
.soft{color:var(--soft);font-size:.875rem}
form{margin:1.5rem 0 1rem}form:last-child{margin-bottom:0}
button{display:block;width:100%;min-height:3rem;padding:.75rem 1rem;font:inherit;font-weight:600;color:var(--on-brand);background:var(--brand);border:1px solid var(--line);border-radius:.625rem;cursor:pointer}
button:hover{filter:brightness(1.08)}
a{color:inherit;text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--ink);outline-offset:3px}
@media(max-width:24rem){main{padding:1.75rem 1.25rem 1.5rem}}
`;
}
