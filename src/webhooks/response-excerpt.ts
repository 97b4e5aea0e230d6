/** An answer as text for the log of tries: PostgreSQL takes no NUL, and what is no UTF-8 becomes replacement characters. */
export function excerptOf(bytes: Buffer): string | null {
  const text = bytes.toString('utf8').replaceAll('\u0000', '\uFFFD');
  return text === '' ? null : text;
}
