// JSON leaves these as they are, but a terminal obeys the first and line readers of several languages break at the others.
const BREAKS_LINES = /[\u007f-\u009f\u2028\u2029]/g;

/** The value as UTF-8 JSON in one line: without a control character or a separator of lines, whatever its texts hold. */
export function jsonLine(value: object): Buffer {
  return Buffer.from(JSON.stringify(value).replace(BREAKS_LINES, escaped), 'utf8');
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
