import { appendFileSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import type { Audit } from '../src/audit/auditor.service.js';
import { type Checkpoint, isSigned } from '../src/audit/checkpoint.js';
import { askAndExit, NotAsked, OperatorApi } from './operator-api.js';

const HELP = `npm run audit:verify -- [--checkpoints kept.jsonl] [--key …] [--api http://127.0.0.1:3000] [--admin-key adm_…] [--json]
npm run audit:export -- [--to kept.jsonl] [--api …] [--admin-key …]

audit:verify asks a running Revtain to recompute every client's hash chain over the timeline, and names each event that was
edited, deleted, inserted or put elsewhere, and each chain that was cut. With --checkpoints it also holds the chains to
checkpoints that were exported before: only they tell of a cut that took everything along.
audit:export writes one signed checkpoint per client, a JSON line each, to be kept where the database's owner can not write.

  --checkpoints  a file that audit:export wrote
  --key          the public key that must have signed them (base64), noted when they were exported; may be given more than once
  --to           a file to append to; default: standard output
  --api          the running Revtain
  --admin-key    REVTAIN_ADMIN_KEY; default what .data/admin.key holds
  --json         the whole answer

Exit code 0 when all of it holds, 1 when something does not, 2 when it could not be asked.
`;

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ api: text, 'admin-key': text, checkpoints: text, to: text, json: flag, help: flag },
      key: { type: 'string', multiple: true },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const api = new OperatorApi(values.api, values['admin-key']);
  if (positionals[0] === 'export') return exportTo(api, values.to);
  return verify(api, { file: values.checkpoints, keys: values.key ?? [], json: values.json ?? false });
}

async function exportTo(api: OperatorApi, file: string | undefined): Promise<number> {
  const checkpoints: Checkpoint[] = [];
  for (let after: string | null = ''; after !== null;) {
    const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
    const path = `/api/audit/checkpoints?limit=200${query}`;
    const page: { data: Checkpoint[]; nextAfter: string | null } = await api.get(path);
    checkpoints.push(...page.data);
    after = page.nextAfter;
  }
  const lines = checkpoints.map((each) => `${JSON.stringify(each)}\n`).join('');
  if (file === undefined) process.stdout.write(lines);
  else appendFileSync(file, lines);
  const keys = new Set(checkpoints.map(({ publicKey }) => publicKey));
  console.error(
    `${checkpoints.length} checkpoints, signed by ${[...keys].join(', ') || 'nobody'}: note the key beside them`,
  );
  return 0;
}

interface VerifyOptions {
  file: string | undefined;
  keys: string[];
  json: boolean;
}

async function verify(api: OperatorApi, { file, keys, json }: VerifyOptions): Promise<number> {
  const audit: Audit = await api.get('/api/audit/verify');
  const broken = file === undefined ? [] : await compared(api, readCheckpoints(file), keys);
  if (json) console.log(JSON.stringify({ ...audit, checkpoints: broken }, null, 2));
  else console.log(linesOf(audit, broken).join('\n'));
  return audit.held && broken.length === 0 ? 0 : 1;
}

function readCheckpoints(file: string): Checkpoint[] {
  const lines = textOf(file).split('\n');
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [checkpointOf(line, `${file}, line ${index + 1}`)]));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new NotAsked(`${file} can not be read (${error instanceof Error ? error.message : 'unknown'})`);
  }
}

function checkpointOf(line: string, place: string): Checkpoint {
  const read = parsed(line);
  if (isCheckpoint(read)) return read;
  throw new NotAsked(`${place}: no checkpoint as audit:export writes it`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function isCheckpoint(read: unknown): read is Checkpoint {
  if (typeof read !== 'object' || read === null || !('number' in read)) return false;
  const texts = new Map<string, unknown>(Object.entries(read));
  const named = ['format', 'clientId', 'hash', 'at', 'publicKey', 'signature'];
  return typeof read.number === 'number' && named.every((name) => typeof texts.get(name) === 'string');
}

/** What does not fit the checkpoints, in words. */
async function compared(api: OperatorApi, checkpoints: Checkpoint[], keys: string[]): Promise<string[]> {
  const broken: string[] = [];
  for (const checkpoint of checkpoints) {
    const { clientId, number, hash, at, publicKey } = checkpoint;
    const name = `${clientId}, link ${number}, exported ${at}`;
    if (!isSigned(checkpoint)) broken.push(`${name}: the checkpoint's own signature is wrong`);
    else if (keys.length > 0 && !keys.includes(publicKey)) broken.push(`${name}: signed by another key, ${publicKey}`);
    else {
      const link = await api.find<{ hash: string }>(`/api/audit/links/${clientId}/${number}`);
      if (link === null) broken.push(`${name}: the chain is shorter now, it was cut`);
      else if (link.hash !== hash) broken.push(`${name}: the chain is another one now`);
    }
  }
  return broken;
}

function linesOf({ held, durationMs, clients, links, pending, offences, count }: Audit, broken: string[]): string[] {
  return [
    ...offences.map(
      ({ kind, clientId, transactionId, detail }) => `BROKEN  ${kind}: ${clientId} ${transactionId ?? '-'}  ${detail}`,
    ),
    ...(count > offences.length ? [`        and ${count - offences.length} more`] : []),
    ...broken.map((each) => `BROKEN  checkpoint: ${each}`),
    `${clients} chains, ${links} links, ${pending} events too young to be linked (${durationMs} ms)`,
    held && broken.length === 0 ? 'all of it holds' : 'NOT all of it holds',
  ];
}

await askAndExit(main);
