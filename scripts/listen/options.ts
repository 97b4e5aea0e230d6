import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { hasCode } from '../../src/platform/error-facts.js';
import { EVENT_TYPES, isEventType, type EventType } from '../../src/webhooks/event-types.js';
import { Refused } from './refused.js';

const API = 'http://127.0.0.1:3000';
const KEY_FILE = '.data/demo.key';

export const HELP = `npm run listen -- --forward-to http://localhost:3001/hook

Makes a temporary webhook endpoint on this machine, prints each delivery, forwards it unchanged (bytes and headers) and gives
your answer back to Revtain. Ctrl-C removes the endpoint.

  --forward-to  where your handler listens: an address, or just 3001/hook
  --api         the running Revtain; default ${API}
  --api-key     rev_…; default what ${KEY_FILE} holds, the demo merchant's key
  --events      events by commas, or all; default those that are on by default
  --print-json  each body as one line of JSON on standard output; all else goes to standard error
  --replay      dlv_… or last: asks Revtain to send that delivery to its own endpoint once more, and shows the answer. Alone
                it then ends; with --forward-to it goes on listening
  --help        this text

While it listens: r and Enter sends the newest delivery again, r dlv_… that one.
Events: ${EVENT_TYPES.join(', ')}`;

export interface Options {
  api: string;
  apiKey: string;
  /** Null: only a replay is asked for. */
  forwardTo: string | null;
  /** Null: those that are on by default. */
  events: EventType[] | null;
  printJson: boolean;
  /** A delivery's id, or `last`. */
  replay: string | null;
}

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const KNOWN = {
  'forward-to': TEXT,
  api: TEXT,
  'api-key': TEXT,
  events: TEXT,
  'print-json': FLAG,
  replay: TEXT,
  help: FLAG,
} as const;

/** What the command line asks for; null for --help. @throws {Refused} in one line. */
export function readOptions(args: string[]): Options | null {
  const values = parsed(args);
  if (values.help === true) return null;
  const { replay = null, events } = values;
  if (replay !== null && replay !== 'last' && !/^dlv_[0-9A-Z]{26}$/.test(replay)) {
    throw new Refused(
      `--replay ${replay} is no delivery: give dlv_… (GET /api/webhook-deliveries lists them), or last`,
    );
  }
  const forwardTo = values['forward-to'] === undefined ? null : addressOf('--forward-to', values['forward-to']);
  if (forwardTo === null && replay === null) {
    throw new Refused('--forward-to is missing: give your handler, such as --forward-to http://localhost:3001/hook');
  }
  const api = addressOf('--api', values.api ?? API).replace(/\/+$/, '');
  if (forwardTo !== null) demandThisMachine(api);
  return {
    api,
    apiKey: keyOf(values['api-key']),
    forwardTo,
    events: events === undefined ? null : eventsOf(events),
    printJson: values['print-json'] === true,
    replay,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: KNOWN }).values;
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error)) throw error;
    throw new Refused(`${error.message.split('\n')[0] ?? ''} (--help lists what there is)`);
  }
}

/** As people type it: `3001`, `3001/hook`, `localhost:3001/hook` and whole addresses. */
function addressOf(name: string, text: string): string {
  const whole = /^\d+(\/|$)/.test(text) ? `http://localhost:${text}` : /^https?:/.test(text) ? text : `http://${text}`;
  if (!URL.canParse(whole))
    throw new Refused(`${name} ${text} is no address: give one such as http://localhost:3001/hook`);
  return whole;
}

// The endpoint is on loopback, and another machine's loopback is not this one.
function demandThisMachine(api: string): void {
  const { hostname } = new URL(api);
  if (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) return;
  throw new Refused(`--api ${api} is another machine, which can not reach this one's loopback: run listen over there`);
}

function keyOf(given: string | undefined): string {
  const key = (given ?? keptKey()).trim();
  if (/^rev_(?!pk_|fx_)\S+$/.test(key)) return key;
  throw new Refused('--api-key is no secret API key: it begins with rev_ and is shown once by POST /api/clients');
}

function keptKey(): string {
  try {
    return readFileSync(KEY_FILE, 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new Refused(`--api-key is missing: give rev_…, or run npm start here, whose demo keeps one in ${KEY_FILE}`);
  }
}

function eventsOf(list: string): EventType[] {
  if (list === 'all') return [...EVENT_TYPES];
  const names = [...new Set(list.split(',').map((name) => name.trim()))];
  const wrong = names.find((name) => !isEventType(name));
  if (wrong !== undefined)
    throw new Refused(`--events ${wrong} is no event: give all, or some of ${EVENT_TYPES.join(', ')}`);
  return names.filter(isEventType);
}
