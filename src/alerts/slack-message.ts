import type { MessageContent } from './message.js';
import { notesOf, oneLine, type Section, sectionsOf, subjectLineOf } from './wording.js';

/** @see https://docs.slack.dev/reference/block-kit/blocks (limits of each block) */
const HEADER_MAX = 150;
const SECTION_MAX = 3_000;
const BLOCKS_MAX = 50;

type PlainText = { type: 'plain_text'; text: string };
type Markdown = { type: 'mrkdwn'; text: string };
export type SlackBlock =
  | { type: 'header'; text: PlainText }
  | { type: 'section'; text: Markdown }
  | { type: 'context'; elements: Markdown[] }
  | { type: 'actions'; elements: { type: 'button'; text: PlainText; url: string }[] };

export interface SlackMessage {
  /** Shown in notifications and by readers that know no blocks. */
  text: string;
  blocks: SlackBlock[];
}

/** The body for an incoming webhook of Slack's. @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
export function slackMessage(content: MessageContent, consoleUrl: string | null): SlackMessage {
  const test = content.livemode ? '' : '[test] ';
  const title = oneLine(`${test}${oneLine(content.clientName, 40)}: ${subjectLineOf(content)}`, HEADER_MAX);
  const sections = sectionsOf(content).map((section): SlackBlock => {
    return { type: 'section', text: { type: 'mrkdwn', text: cut(sectionText(section), SECTION_MAX) } };
  });
  const notes = notesOf(content).map((note): SlackBlock => {
    return { type: 'context', elements: [{ type: 'mrkdwn', text: cut(escapeSlack(note), SECTION_MAX) }] };
  });
  const header: SlackBlock = { type: 'header', text: { type: 'plain_text', text: title } };
  const room = BLOCKS_MAX - 2 - notes.length;
  return { text: escapeSlack(title), blocks: [header, ...sections.slice(0, room), ...notes, ...buttons(consoleUrl)] };
}

function buttons(consoleUrl: string | null): SlackBlock[] {
  if (consoleUrl === null) return [];
  const text: PlainText = { type: 'plain_text', text: 'Open the console' };
  return [{ type: 'actions', elements: [{ type: 'button', text, url: consoleUrl }] }];
}

function sectionText({ title, rows, list, advice }: Section): string {
  const lines = [`*${escapeSlack(title)}*`, ...rows.map(({ label, value }) => `${label}: ${escapeSlack(value)}`)];
  if (list) lines.push(`${escapeSlack(list.title)}:`, ...list.items.map((item) => `• ${escapeSlack(item)}`));
  if (advice !== '') lines.push(escapeSlack(advice));
  return lines.join('\n');
}

/** The three characters that Slack's markup reads; the rest stays as it is, so that no name can mention anybody. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}
