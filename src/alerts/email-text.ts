import type { Links, MessageContent } from './message.js';
import { notesOf, oneLine, type Section, sectionsOf, subjectLineOf } from './wording.js';

const FOOTER = 'You get this because your address is one of the alert addresses of';

/** The subject line: what it is, whose it is, and whether money is real. One line, whatever a name holds. */
export function emailSubject(content: MessageContent): string {
  const test = content.livemode ? '' : '[test] ';
  return oneLine(`${test}${oneLine(content.clientName, 40)}: ${subjectLineOf(content)}`, 150);
}

/** The message for readers without HTML. */
export function emailText(content: MessageContent, links: Links): string {
  const blocks = sectionsOf(content).map(sectionText);
  const notes = notesOf(content).map((note) => `Note: ${note}`);
  const footer = [
    `${FOOTER} ${oneLine(content.clientName)} (${content.clientId}).`,
    ...(links.unsubscribe === null ? [] : [`No more of this kind: ${links.unsubscribe}`]),
  ];
  const all = [
    ...blocks,
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    ...(links.console === null ? [] : [`Console: ${links.console}`]),
    '-- \n' + footer.join('\n'),
  ];
  return `${all.join('\n\n')}\n`;
}

/** The same as HTML: inline styles with a dark form, and no image, script or remote part, as mail readers want it. */
export function emailHtml(content: MessageContent, links: Links): string {
  const colour = COLOURS[content.parts[0]?.purpose === 'resolved' ? 'resolved' : content.severity];
  const sections = sectionsOf(content).map(sectionHtml).join('');
  const notes = notesOf(content)
    .map(
      (note) =>
        `<p class="note" style="margin:0 0 12px;padding:8px 12px;background:#f4f1e6;border-radius:4px">${escapeHtml(note)}</p>`,
    )
    .join('');
  const unsubscribe =
    links.unsubscribe === null
      ? ''
      : ` <a href="${escapeHtml(links.unsubscribe)}" class="quiet" style="color:#666">No more of this kind</a>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">${DARK}<title>${escapeHtml(emailSubject(content))}</title></head>
<body style="margin:0;padding:24px 12px;background:#f3f4f6;color:#1f2933;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div class="card" style="max-width:600px;margin:0 auto;padding:24px;background:#fff;border-top:4px solid ${colour};border-radius:4px">
<p class="quiet" style="margin:0 0 16px;color:#666">${escapeHtml(oneLine(content.clientName))}${content.livemode ? '' : ' · test account'}</p>
${sections}${notes}${consoleButton(links.console)}
</div>
<p class="quiet" style="max-width:600px;margin:12px auto;color:#666;font-size:12px">${FOOTER} ${escapeHtml(oneLine(content.clientName))} (${content.clientId}).${unsubscribe}</p>
</body></html>
`;
}

function consoleButton(url: string | null): string {
  if (url === null) return '';
  return `<p style="margin:20px 0 0"><a href="${escapeHtml(url)}" style="display:inline-block;padding:8px 16px;background:#1f4e8c;color:#fff;text-decoration:none;border-radius:4px">Open the console</a></p>`;
}

// For readers that honour it; the others show the light form.
const DARK =
  '<style>@media (prefers-color-scheme:dark){body{background:#12161b!important;color:#e4e7eb!important}' +
  '.card{background:#1e252d!important}.quiet{color:#a3adb8!important}.note{background:#3a3320!important}}</style>';

const COLOURS = { info: '#1f4e8c', warning: '#b7791f', critical: '#c53030', resolved: '#2f855a' } as const;

function sectionText({ title, rows, list, advice }: Section): string {
  const width = Math.max(0, ...rows.map(({ label }) => label.length));
  const lines = [
    title,
    '='.repeat(Math.min(title.length, 72)),
    ...rows.map(({ label, value }) => `${`${label}:`.padEnd(width + 1)} ${value}`),
  ];
  if (list) lines.push('', `${list.title}:`, ...list.items.map((item) => `  ${item}`));
  if (advice !== '') lines.push('', advice);
  return lines.join('\n');
}

function sectionHtml({ title, rows, list, advice }: Section): string {
  const cell = 'padding:2px 16px 2px 0;vertical-align:top';
  const table = rows.map(
    ({ label, value }) =>
      `<tr><td class="quiet" style="${cell};color:#666;white-space:nowrap">${escapeHtml(label)}</td><td style="${cell}">${escapeHtml(value)}</td></tr>`,
  );
  const items = (list?.items ?? []).map((item) => `<li style="margin:0 0 2px">${escapeHtml(item)}</li>`);
  return [
    `<h1 style="margin:0 0 12px;font-size:18px;line-height:1.3">${escapeHtml(title)}</h1>`,
    table.length === 0
      ? ''
      : `<table role="presentation" style="margin:0 0 12px;border-collapse:collapse">${table.join('')}</table>`,
    list === null
      ? ''
      : `<p class="quiet" style="margin:0 0 4px;color:#666">${escapeHtml(list.title)}</p><ul style="margin:0 0 12px;padding-left:20px;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;overflow-wrap:anywhere">${items.join('')}</ul>`,
    advice === '' ? '' : `<p style="margin:0 0 20px">${escapeHtml(advice)}</p>`,
    '\n',
  ].join('');
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
