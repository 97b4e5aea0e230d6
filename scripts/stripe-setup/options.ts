import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { messageOf } from '../../src/platform/error-facts.js';
import { Refused } from '../listen/refused.js';
import { permissionLines } from './permissions.js';

const API = 'http://127.0.0.1:3000';
const STRIPE = 'https://api.stripe.com';

export const HELP = `npm run stripe:setup -- --stripe-key-file key.txt --api-key rev_…

Sets a client of a running Revtain up with a Stripe key of its own: checks by harmless readings what the key may do, registers
the webhook endpoint with the exact list of events, and stores the key and the endpoint's secret, sealed. A second run changes
nothing that is right already.

  --stripe-key-file  a file that holds the key, or - for standard input; a restricted key (rk_…) is best
  --api              the running Revtain; default ${API}
  --api-key          rev_…, the client's secret key
  --dry-run          says what would be done, and does nothing
  --renew            registers the endpoint anew, with a new secret
  --stripe-api       another Stripe (a local fake); default ${STRIPE}
  --permissions      prints what a restricted key needs, and ends
  --help             this text

A restricted key needs (https://dashboard.stripe.com/apikeys/create):
${permissionLines().join('\n')}`;

export interface Options {
  stripeKey: string;
  api: string;
  apiKey: string;
  stripeApi: URL;
  dryRun: boolean;
  renew: boolean;
}

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const KNOWN = {
  'stripe-key-file': TEXT,
  api: TEXT,
  'api-key': TEXT,
  'stripe-api': TEXT,
  'dry-run': FLAG,
  renew: FLAG,
  permissions: FLAG,
  help: FLAG,
} as const;

/** What the command line asks for, or the text it asks for. @throws {Refused} in one line. */
export function readOptions(args: string[]): Options | string {
  const values = parsed(args);
  if (values.help === true) return HELP;
  if (values.permissions === true) return permissionLines().join('\n');
  const { 'stripe-key-file': keyFile, 'api-key': apiKey, 'stripe-api': stripeApi = STRIPE } = values;
  if (apiKey === undefined) throw new Refused('give --api-key rev_…, the secret key of the client to set up');
  if (keyFile === undefined)
    throw new Refused('give --stripe-key-file; a key on the command line could be read by others');
  if (!URL.canParse(stripeApi)) throw new Refused(`--stripe-api ${stripeApi} is no address`);
  return {
    stripeKey: keyFrom(keyFile),
    api: (values.api ?? API).replace(/\/$/, ''),
    apiKey,
    stripeApi: new URL(stripeApi),
    dryRun: values['dry-run'] === true,
    renew: values.renew === true,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: KNOWN }).values;
  } catch (error) {
    throw new Refused(`${messageOf(error)}; --help tells what there is`, null, { cause: error });
  }
}

function keyFrom(file: string): string {
  const text = readText(file).trim();
  if (!/^(sk|rk)_(test|live)_\w+$/.test(text)) throw new Refused(`${file} holds no Stripe key (rk_… or sk_…)`);
  return text;
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new Refused(`${file} can not be read: ${messageOf(error)}`, null, { cause: error });
  }
}
