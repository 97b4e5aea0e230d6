import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { request } from 'undici';

import { hasCode } from '../src/platform/error-facts.js';
import type { Verification } from '../src/verify/verifier.service.js';

const API = 'http://127.0.0.1:3000';
const KEY_FILE = '.data/admin.key';

const HELP = `npm run verify -- [--api ${API}] [--admin-key adm_…]

Asks a running Revtain whether its database holds what must always hold: one key per charge, one success per debt, one final
event per round, every unknown charge being looked up, every end told, the timeline whole. It reads whole tables.
Exit code 0 when all of it holds, 1 when something does not (the offenders are named), 2 when it could not be asked.

  --api        the running Revtain; default ${API}
  --admin-key  REVTAIN_ADMIN_KEY; default what ${KEY_FILE} holds
  --json       the whole answer
`;

/** In one line, with what to do about it. */
class NotAsked extends Error {}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({ options: { api: text, 'admin-key': text, json: flag, help: flag } });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const verification = await ask(values.api ?? API, values['admin-key'] ?? keptKey());
  console.log(values.json ? JSON.stringify(verification, null, 2) : linesOf(verification).join('\n'));
  return verification.held ? 0 : 1;
}

async function ask(api: string, adminKey: string): Promise<Verification> {
  const answer = await request(`${api.replace(/\/$/, '')}/api/verify`, { headers: { 'x-admin-key': adminKey } }).catch(
    (error: unknown) => {
      throw new NotAsked(`${api} does not answer (${error instanceof Error ? error.message : 'unknown'}); give --api`);
    },
  );
  const body = await answer.body.text();
  if (answer.statusCode === 401) throw new NotAsked('the admin key is refused; give --admin-key');
  if (answer.statusCode !== 200) throw new NotAsked(`${api} answered ${answer.statusCode}: ${body.slice(0, 200)}`);
  return JSON.parse(body) as Verification;
}

function keptKey(): string {
  try {
    return readFileSync(KEY_FILE, 'utf8').trim();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new NotAsked(`there is no ${KEY_FILE} here; give --admin-key`);
  }
}

function linesOf({ held, durationMs, invariants }: Verification): string[] {
  const lines = invariants.flatMap(({ name, meaning, held: holds, offenders, count }) => [
    `${holds ? 'holds ' : 'BROKEN'}  ${name}: ${meaning}`,
    ...offenders.map(
      ({ clientId, transactionId, detail }) => `          ${clientId} ${transactionId ?? '-'}  ${detail}`,
    ),
    ...(count > offenders.length ? [`          and ${count - offenders.length} more`] : []),
  ]);
  return [...lines, `${held ? 'all of it holds' : 'NOT all of it holds'} (${durationMs} ms)`];
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof NotAsked)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
