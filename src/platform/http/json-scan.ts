/** What a JSON text holds that parsing would hide or that nothing of ours needs. */
export interface JsonFlaw {
  kind: 'too_deep' | 'too_many_keys' | 'duplicate_key' | 'forbidden_key' | 'inexact_number';
  /** Where, such as `policy.attemptsMax`; empty for the whole document. */
  path: string;
}

export const DEPTH_MAX = 20;
export const KEYS_MAX = 200;

/** Names that reach an object's prototype where a value is copied carelessly. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** An open object (with the keys seen so far) or array (with none). */
interface Frame {
  keys: Set<string> | null;
  /** The object: at a comma or the brace, so that the next string is a key. */
  expectsKey: boolean;
  key: string;
  index: number;
}

/**
 * Scans a text that `JSON.parse` has already taken, so that only what parsing hides has to be found: keys given twice
 * (the last would win), depth, and numbers that change when they are read (`1e3`, `-0`, `2500.0`, 2^53 + 1).
 * @returns the first flaw, or null.
 */
export function scanJson(text: string): JsonFlaw | null {
  const frames: Frame[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    const frame = frames.at(-1);
    if (character === QUOTE) {
      const end = endOfString(text, at);
      if (frame?.expectsKey) {
        const flaw = takeKey(frame, text.slice(at, end));
        if (flaw) return { kind: flaw, path: pathOf(flaw === 'duplicate_key' ? frames : frames.slice(0, -1)) };
      }
      at = end;
    } else if (character === BRACE || character === BRACKET) {
      const isObject = character === BRACE;
      frames.push({ keys: isObject ? new Set() : null, expectsKey: isObject, key: '', index: 0 });
      if (frames.length > DEPTH_MAX) return { kind: 'too_deep', path: '' };
      at += 1;
    } else if (character === BRACE_END || character === BRACKET_END) {
      frames.pop();
      at += 1;
    } else if (character === COMMA) {
      if (frame) advance(frame);
      at += 1;
    } else if (character === MINUS || (character >= ZERO && character <= NINE)) {
      const end = endOfNumber(text, at);
      const token = text.slice(at, end);
      if (String(Number(token)) !== token) return { kind: 'inexact_number', path: pathOf(frames) };
      at = end;
    } else at += 1; // White space, a colon, or a letter of true, false, null.
  }
  return null;
}

const [QUOTE, BACKSLASH, COMMA, MINUS, ZERO, NINE] = [0x22, 0x5c, 0x2c, 0x2d, 0x30, 0x39];
const [BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x7b, 0x7d, 0x5b, 0x5d];

function takeKey(frame: Frame, quoted: string): JsonFlaw['kind'] | null {
  const { keys } = frame;
  const key = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  if (FORBIDDEN_KEYS.has(key)) return 'forbidden_key';
  frame.key = key;
  frame.expectsKey = false;
  if (keys?.has(key)) return 'duplicate_key';
  keys?.add(key);
  return keys && keys.size > KEYS_MAX ? 'too_many_keys' : null;
}

function advance(frame: Frame): void {
  if (frame.keys) frame.expectsKey = true;
  else frame.index += 1;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && /[\d.eE+-]/.test(text.charAt(at))) at += 1;
  return at;
}

function pathOf(frames: readonly Frame[]): string {
  return frames
    .map(({ keys, key, index }) => (keys ? `.${key}` : `[${index}]`))
    .join('')
    .replace(/^\./, '');
}
