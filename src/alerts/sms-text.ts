import { cutSeptets, SEPTETS_MAX, septetsOf, toGsm7 } from './gsm7.js';
import type { MessageContent } from './message.js';
import { plainMoneyText } from './money-text.js';
import { headlineOf, oneLine } from './wording.js';

const NAME_SEPTETS_MAX = 30;

/**
 * One text message of the GSM alphabet, within 160 septets: whose it is, what it is, what it comes to, how much more.
 * What does not fit is left out from the back, and the number of what more there is stays.
 */
export function smsText(content: MessageContent): string {
  const name = cutSeptets(toGsm7(oneLine(content.clientName)), NAME_SEPTETS_MAX);
  const start = `${content.livemode ? '' : '[test] '}${name}: `;
  const [first] = content.parts;
  if (content.purpose === 'test' || !first) return `${start}test alert of Revtain. Nothing is wrong.`;
  const more = content.parts.length > 1 ? ` +${content.parts.length - 1} more` : '';
  const amounts = first.summary.amounts.map((each) => plainMoneyText(each.amountMinor, each.currency));
  const room = SEPTETS_MAX - septets(start) - septets(more);
  // Counts in plain digits: a locale's separators may lie outside the alphabet.
  const said = [toGsm7(headlineOf(first, 'en')), ...amounts, ...content.inPlaceOf.map(toGsm7)];
  return start + joinWithin(said, room) + more;
}

/** The parts with commas between, as many as fit; the first is cut where even it does not. */
function joinWithin([first = '', ...others]: string[], room: number): string {
  let text = cutSeptets(first, room);
  for (const other of others) {
    const longer = `${text}, ${other}`;
    if (septets(longer) > room) break;
    text = longer;
  }
  return text;
}

function septets(text: string): number {
  const count = septetsOf(text);
  if (count === null) throw new Error('a text message leaves the GSM alphabet');
  return count;
}
