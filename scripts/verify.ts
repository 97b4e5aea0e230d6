import { parseArgs } from 'node:util';

import type { Verification } from '../src/verify/verifier.service.js';
import { API, askAndExit, KEY_FILE, OperatorApi } from './operator-api.js';

const HELP = `npm run verify -- [--api ${API}] [--admin-key adm_…]

Asks a running Revtain whether its database holds what must always hold: one key per charge, one success per debt, one final
event per round, every unknown charge being looked up, every end told, the timeline whole. It reads whole tables.
Exit code 0 when all of it holds, 1 when something does not (the offenders are named), 2 when it could not be asked.

  --api        the running Revtain; default ${API}
  --admin-key  REVTAIN_ADMIN_KEY; default what ${KEY_FILE} holds
  --json       the whole answer
`;

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({ options: { api: text, 'admin-key': text, json: flag, help: flag } });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const verification = await new OperatorApi(values.api, values['admin-key']).get<Verification>('/api/verify');
  console.log(values.json ? JSON.stringify(verification, null, 2) : linesOf(verification).join('\n'));
  return verification.held ? 0 : 1;
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

await askAndExit(main);
