import { type AlertFacts, wordsOf } from './alert.js';
import type { MessageContent, MessagePart } from './message.js';
import { moneyText } from './money-text.js';

/** One block of a message, rendered as text or as HTML. */
export interface Section {
  title: string;
  rows: { label: string; value: string }[];
  /** Further lines, such as the largest amounts. */
  list: { title: string; items: string[] } | null;
  advice: string;
}

/** Line breaks and control characters out, for a merchant's name goes into headers and subjects. */
export function oneLine(text: string, lengthMax = 120): string {
  const plain = text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return [...plain].slice(0, lengthMax).join('');
}

/** Says in a few words what a part is about, such as `12 recoveries failed`. */
export function headlineOf(part: MessagePart, locale: string): string {
  const { kind, purpose, subject, summary, open } = part;
  const words = wordsOf(kind);
  const about = subject === null ? '' : ` (${subject})`;
  const counted = (count: number) => `${countText(count, locale)} ${count === 1 ? words.one : words.many}`;
  switch (purpose) {
    case 'digest':
      return `Daily digest: ${countText(summary.count, locale)} ${summary.count === 1 ? 'alert' : 'alerts'}`;
    case 'resolved':
      return `Resolved: ${words.over ?? words.one}${about}`;
    case 'repeat':
      return `Still open: ${counted(Math.max(1, open))}${about}`;
    case 'firing':
      return counted(summary.count) + about;
  }
}

/** The subject of the whole message, without whose it is. */
export function subjectLineOf({ parts, purpose, locale }: MessageContent): string {
  const [first] = parts;
  if (purpose === 'test' || !first) return 'Test alert';
  const more = parts.length - 1;
  return headlineOf(first, locale) + (more === 0 ? '' : `, and ${more} more`);
}

/** Every part of a message in words. */
export function sectionsOf(content: MessageContent): Section[] {
  if (content.purpose === 'test') {
    const advice = 'Somebody pressed the test button. Nothing is wrong, and nothing needs to be done.';
    return [{ title: 'This is a test alert', rows: [], list: null, advice }];
  }
  return content.parts.map((part) => sectionOf(part, content));
}

/** Notes on the message itself: why it comes here, and why so much is in it. */
export function notesOf({ inPlaceOf, hourlyCap, parts }: MessageContent): string[] {
  const reasons = inPlaceOf.join('; ');
  const stoodIn = reasons === '' ? [] : [`Sent here in place of another channel (${reasons}).`];
  if (hourlyCap === null) return stoodIn;
  return [...stoodIn, `${parts.length - 1} more in this message: the limit of ${hourlyCap} an hour is reached.`];
}

function sectionOf(part: MessagePart, { locale, zone }: MessageContent): Section {
  const { summary, purpose, kind } = part;
  const title = headlineOf(part, locale);
  if (purpose === 'resolved') return { title, rows: timeRows(part, zone, locale), list: null, advice: '' };
  const money = (amountMinor: number, currency: string) => moneyText(amountMinor, currency, locale);
  const amounts = summary.amounts.map((each) => money(each.amountMinor, each.currency)).join(' + ');
  const counts = (pairs: [string, number][]) => pairs.map(([name, count]) => `${name} ${countText(count, locale)}`);
  const kinds = counts(summary.kinds.map(({ kind: each, count }) => [wordsOf(each).many, count]));
  // Money that came or went back was declined by nobody.
  const isDeclined = summary.buckets.some(({ bucket }) => bucket !== 'none');
  const buckets = isDeclined ? counts(summary.buckets.map(({ bucket, count }) => [bucket, count])) : [];
  const rows = [
    ...timeRows(part, zone, locale),
    ...(summary.kinds.length > 1 ? [{ label: 'Kinds', value: kinds.join(', ') }] : []),
    ...(amounts === '' ? [] : [{ label: 'Amount', value: amounts }]),
    ...(buckets.length === 0 ? [] : [{ label: 'By decline', value: buckets.join(', ') }]),
  ];
  return { title, rows, list: listOf(part, money), advice: purpose === 'digest' ? '' : wordsOf(kind).advice };
}

function timeRows({ summary: { firstAt, lastAt } }: MessagePart, zone: string, locale: string): Section['rows'] {
  if (firstAt === null || lastAt === null) return [];
  const [first, last] = [timeText(firstAt, zone, locale), timeText(lastAt, zone, locale)];
  return [{ label: 'When', value: first === last ? first : `${first} to ${last}` }];
}

function listOf(part: MessagePart, money: (amountMinor: number, currency: string) => string): Section['list'] {
  const { largest, count, examples } = part.summary;
  if (largest.length > 0) {
    const items = largest.map((each) => {
      const bucket = each.bucket === null ? '' : `  ${each.bucket}`;
      return `${money(each.amountMinor, each.currency)}  ${each.transactionId}${bucket}`;
    });
    return { title: largest.length < count ? `The ${largest.length} largest` : 'Which', items };
  }
  const items = examples.map(({ facts }) => factsText(facts)).filter((text) => text !== '');
  return items.length === 0 ? null : { title: items.length < count ? `The first ${items.length}` : 'Which', items };
}

/** Facts as `name value` pairs, in their order. */
export function factsText(facts: AlertFacts): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}

function timeText(instant: string, zone: string, locale: string): string {
  const format = new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: zone,
  });
  return `${format.format(new Date(instant))} (${zone})`;
}

function countText(count: number, locale: string): string {
  return new Intl.NumberFormat(locale).format(count);
}
