/** A piece of HTML that is safe to send: its own markup is ours, and every text put into it was escaped. */
export class Html {
  constructor(readonly text: string) {}
}

/**
 * Writes HTML as a template: whatever is put in is escaped, unless it is HTML itself; `null` and `false` are nothing.
 * Values belong between tags or inside quoted attributes, and an address only where its scheme was checked.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const text = parts.reduce((before, part, index) => before + textOf(values[index - 1] ?? null) + part);
  return new Html(text);
}

type HtmlValue = string | number | Html | readonly Html[] | null | false;

function textOf(value: HtmlValue): string {
  if (value === null || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(textOf).join('');
  return escapeText(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? letter);
}
