import type pg from 'pg';

import type { Failpoints } from '../failpoints/failpoints.js';
import { sendFlight, type SendFlight, type Statement } from './flight.js';

const OPENING = new Set(['begin', 'enter_tenant', 'enter_tenant_generic', 'enter_worker']);
/** Statements that open and close a transaction; a flight is called by what it carries. */
const FRAME = new Set([...OPENING, 'commit', 'rollback']);
/** How pg tells a connection that went away. */
const CUT = 'Connection terminated unexpectedly';

/** `sendFlight` with a failpoint around each flight: `database.` and what its last statement writes or reads. */
export function armedFlights(failpoints: Failpoints): SendFlight {
  // A bare COMMIT names nobody: it is the work of whoever wrote before it on the same connection.
  const owners = new WeakMap<pg.ClientBase, string | null>();
  return (client, statements) => {
    const opens = statements.some(({ name = '' }) => OPENING.has(name));
    const owner = ownerOf(statements) ?? (opens ? null : (owners.get(client) ?? null));
    owners.set(client, owner);
    const cut = () => {
      streamOf(client).destroy();
      return Promise.reject(new Error(CUT));
    };
    const name = `database.${nameOfFlight(statements)}`;
    return failpoints.through(name, owner, () => sendFlight(client, statements), {
      before: cut,
      after: cut,
    });
  };
}

/** What a flight is called: its last statement says what it is for. */
export function nameOfFlight(statements: readonly Statement[]): string {
  const last = statements.filter(({ name }) => name === undefined || !FRAME.has(name)).at(-1);
  if (last) return last.about ?? last.name ?? 'unnamed';
  return statements.at(-1)?.name ?? 'nothing';
}

/** The client whose work a flight is; null for one that is about many, such as a claim. */
function ownerOf(statements: readonly Statement[]): string | null {
  for (const value of statements.flatMap(({ values = [] }) => values)) {
    const found = typeof value === 'string' ? /cli_[0-9A-HJKMNP-TV-Z]{26}/.exec(value) : null;
    if (found) return found[0];
  }
  return null;
}

/** The socket below a client; the driver's types leave the connection out. */
function streamOf(client: pg.ClientBase): { destroy(): unknown } {
  return (client as pg.ClientBase & { connection: pg.Connection }).connection.stream;
}
