import type { Call, Handler } from './call.js';
import { NOUNS, type Bodies, type Kind } from './bodies.js';
import type { Params } from './params.js';
import { ok } from './reply.js';
import { invalidRequest, noSuch } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;

/** A condition of a list: SQL with `?` where its value goes. */
export interface Condition {
  sql: string;
  value: unknown;
}

/** Which page of a list is asked for. */
interface Page {
  limit: number;
  after: string | undefined;
  before: string | undefined;
}

/** What each list can be filtered by: parameter name (a dot for one below another) to SQL. */
export type Filters = Record<string, string>;

/** A list of stored objects, newest first: those that meet `fixed`, what `filters` names, and `created`. */
export function listOf(kind: Kind, path: string, filters: Filters, fixed: Condition[] = []): Handler {
  return async ({ uow, params }: Call) => {
    const asked = [...filterConditions(params, filters), ...createdConditions(params)];
    const conditions = [{ sql: 'kind = ?', value: kind }, ...fixed, ...asked];
    const page = pageOf(params);
    params.refuseUnknown();
    const rows = await pageRows<Bodies[Kind]>(uow, 'objects', NOUNS[kind], conditions, page);
    return ok({ object: 'list', url: path, ...rows });
  };
}

/** Rows of `objects` or `events` that meet every condition, one page of them. */
export async function pageRows<Body>(
  uow: UnitOfWork,
  table: 'objects' | 'events',
  noun: string,
  conditions: Condition[],
  page: Page,
): Promise<{ data: Body[]; has_more: boolean }> {
  const all = [{ sql: 'account_id = ?', value: uow.accountId }, ...conditions];
  if (page.after !== undefined) all.push({ sql: 'seq < ?', value: await seqOf(uow, table, noun, page.after) });
  if (page.before !== undefined) all.push({ sql: 'seq > ?', value: await seqOf(uow, table, noun, page.before) });
  const order = page.before === undefined ? 'DESC' : 'ASC';
  const where = all.map(({ sql }, index) => sql.replace('?', `$${index + 1}`)).join(' AND ');
  const found = await uow.query<{ body: Body }>({
    text: `SELECT body FROM test_gateway.${table} WHERE ${where} ORDER BY seq ${order} LIMIT ${page.limit + 1}`,
    values: all.map(({ value }) => value),
  });
  const data = found.rows.slice(0, page.limit).map(({ body }) => body);
  if (order === 'ASC') data.reverse();
  return { data, has_more: found.rows.length > page.limit };
}

export function pageOf(params: Params): Page {
  const limit = params.integer('limit') ?? LIMIT_DEFAULT;
  if (limit < 1 || limit > LIMIT_MAX)
    throw invalidRequest(`Limit must be between 1 and ${LIMIT_MAX}.`, { param: 'limit' });
  return { limit, after: params.filled('starting_after'), before: params.filled('ending_before') };
}

/** `created=1700000000`, or `created[gte]=…` and its like; Unix seconds. */
export function createdConditions(params: Params): Condition[] {
  if (!params.has('created')) return [];
  const signs = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;
  const range = params.isNested('created') ? params.child('created') : undefined;
  if (!range) return [{ sql: 'created = ?', value: params.integer('created') }];
  return Object.entries(signs).flatMap(([name, sign]) => {
    const seconds = range.integer(name);
    return seconds === undefined ? [] : [{ sql: `created ${sign} ?`, value: seconds }];
  });
}

function filterConditions(params: Params, filters: Filters): Condition[] {
  return Object.entries(filters).flatMap(([name, sql]) => {
    const [outer = '', inner] = name.split('.');
    const value = inner === undefined ? params.filled(outer) : params.child(outer)?.filled(inner);
    return value === undefined ? [] : [{ sql, value }];
  });
}

async function seqOf(uow: UnitOfWork, table: string, noun: string, id: string): Promise<string> {
  const found = await uow.query<{ seq: string }>({
    text: `SELECT seq FROM test_gateway.${table} WHERE account_id = $1 AND id = $2`,
    values: [uow.accountId, id],
  });
  const seq = found.rows[0]?.seq;
  if (seq === undefined) throw noSuch(noun, id, 'starting_after');
  return seq;
}
