import type { Database } from './platform/db/database.js';
import { FAILPOINT_ACTIONS, type FailpointRule, Failpoints, THIS_PROCESS } from './platform/failpoints/failpoints.js';
import type { Log } from './platform/logging/log.js';
import { StartRefused } from './platform/start-refused.js';

/**
 * Every failpoint of the path that money takes. Each stands around one thing that can be seen from outside: a flight to
 * the database (called by its last statement, a write by the last step that it takes), a call of the gateway, a webhook.
 * What happens between two of them is this process's own, so that to die there is to die at one of them.
 */
export const FAILPOINTS: readonly string[] = ['TODO'];

const RULE = /^(?<name>[\w.:]+)(?:#(?<nth>\d{1,4}))?(?:@(?<client>cli_[0-9A-Z]{26}))?=(?<action>\w+)$/;

/** Reads REVTAIN_FAILPOINTS; null when nothing is armed, as in service. @throws {StartRefused} for what it does not know. */
export function readFailpoints(text: string | null, log: Log): Failpoints | null {
  if (text === null) return null;
  const rules = text === 'trace' ? [] : text.split(',').map((part) => readRule(part.trim()));
  log.warn('failpoints.armed', { count: rules.length });
  return new Failpoints(rules, log, THIS_PROCESS);
}

function readRule(text: string): FailpointRule {
  const { name = '', nth, client, action } = RULE.exec(text)?.groups ?? {};
  if (!FAILPOINTS.includes(name)) throw new StartRefused(`REVTAIN_FAILPOINTS: there is no failpoint ${name || text}`);
  const known = FAILPOINT_ACTIONS.find((each) => each === action);
  if (!known) throw new StartRefused(`REVTAIN_FAILPOINTS: ${name} knows ${FAILPOINT_ACTIONS.join(', ')}`);
  return { name, nth: Number(nth ?? 1), clientId: client ?? null, action: known };
}

/** A drill kills charges on the wire: never where real cards are charged. @throws {StartRefused} */
export async function refuseBesideLiveClients(database: Database): Promise<void> {
  const { rows } = await database.query({ role: 'worker' }, { text: 'SELECT FROM clients WHERE livemode LIMIT 1' });
  if (rows.length > 0) throw new StartRefused('REVTAIN_FAILPOINTS is refused on a database that has a live client');
}
