import type pg from 'pg';

import type { Failpoints } from '../failpoints/failpoints.js';
import { sendFlight, type SendFlight, type Statement } from './flight.js';

const OPENING = new Set(['begin', 'enter_tenant', 'enter_tenant_generic', 'enter_worker', 'enter_worker_sets']);
/** Statements that open and close a transaction; a flight is called by what it carries. */
const FRAME = new Set([...OPENING, 'commit', 'rollback']);
/** How pg tells a connection that went away. */
const CUT = 'Connection terminated unexpectedly';

/** `sendFlight` with a failpoint around each flight: `database.` and what its last statement writes or reads. */
export function armedFlights(failpoints: Failpoints): SendFlight {
  // A bare COMMIT names nobody: it is the work of whoever wrote before it on the same connection.
  const owners = new WeakMap<pg.ClientBase, readonly string[]>();
  return (client, statements) => {
    const opens = statements.some(({ name = '' }) => OPENING.has(name));
    const own = ownersOf(statements);
    const of = own.length > 0 || opens ? own : (owners.get(client) ?? []);
    owners.set(client, of);
    const cut = () => {
      streamOf(client).destroy();
      return Promise.reject(new Error(CUT));
    };
    const name = `database.${nameOfFlight(statements)}`;
    return failpoints.through(name, of, () => sendFlight(client, statements), {
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

/** Statements that look for work, or keep it, for all clients at once. */
const ABOUT_MANY = /^(claim_due|claim_fairly|claim_deliveries|renew_leases)$/;

/** The clients that the last of its statements, or else another, is about; none for a flight for all of them, such as a claim. */
function ownersOf(statements: readonly Statement[]): readonly string[] {
  const own = statements.filter(({ name }) => !ABOUT_MANY.test(name ?? ''));
  const last = clientsIn(own.filter(({ name }) => name === undefined || !FRAME.has(name)).slice(-1));
  return last.length > 0 ? last : clientsIn(own);
}

function clientsIn(statements: readonly Statement[]): readonly string[] {
  const texts = statements.flatMap(({ values = [] }) => values).flat();
  const found = texts.flatMap((text) =>
    typeof text === 'string' ? (text.match(/cli_[0-9A-HJKMNP-TV-Z]{26}/g) ?? []) : [],
  );
  return [...new Set(found)];
}

/** The socket below a client; the driver's types leave the connection out. */
function streamOf(client: pg.ClientBase): { destroy(): unknown } {
  return (client as pg.ClientBase & { connection: pg.Connection }).connection.stream;
}
