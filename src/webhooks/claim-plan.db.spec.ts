import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { WebhookRoom } from '../../test/support/webhook-room.js';
import { CLAIM_DUE, NEXT_DUE } from './claim-sql.js';
import { SETTLE } from './settle-sql.js';

const ENDPOINTS = 40;
const WAITING_EACH = 1_500;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

interface Explained extends Record<string, unknown> {
  'QUERY PLAN': { Plan: PlanNode; 'Execution Time': number }[];
}

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

const CLAIM_TYPES = 'timestamptz, int, text[], int[], int, int';
const SETTLE_TYPES =
  'timestamptz, text[], text[], text[], bigint[], int[], timestamptz[], int[], int[], text[], text[], text[], timestamptz[], bool[], timestamptz[], bool[]';
const settleOf = (clientId: string, deliveryId: string, endpointId: string) =>
  `now(), '{${clientId}}', '{${deliveryId}}', '{${endpointId}}', '{1}', '{1}', '{now}', '{1}', '{200}', '{NULL}', '{NULL}',
   '{delivered}', '{NULL}', '{f}', '{NULL}', '{f}'`;

describe('with very many deliveries waiting', () => {
  let room: WebhookRoom;
  let watched = 0;

  beforeAll(async () => {
    room = await WebhookRoom.open();
    const clientId = await room.newClient();
    for (let count = 0; count < ENDPOINTS; count += 1) await room.newEndpoint(clientId, 'http://127.0.0.1:1/');
    await room.sql(
      `INSERT INTO webhook_events (client_id, id, recovery_id, type, is_default, sequence, body, created_at)
       SELECT $1, 'evt_' || lpad(n::text, 26, '0'), 'r' || n, 'recovery.success', true, 1, convert_to(repeat('x', 700), 'UTF8'), now()
       FROM generate_series(1, ${ENDPOINTS * WAITING_EACH}) n`,
      [clientId],
    );
    await room.sql(
      `INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, next_try_at,
         created_at, updated_at)
       SELECT e.client_id, 'dlv_' || right(e.id, 26), e.id, p.id, e.recovery_id, 1, 'pending',
         now() - interval '1 day' + right(e.id, 9)::int * interval '1 s', now(), now()
       FROM webhook_events e JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM webhook_endpoints) p
         ON p.place = right(e.id, 9)::int % ${ENDPOINTS}`,
    );
  });
  afterAll(() => room.close());

  /** The plan of a prepared statement as it is run, with the very parameters or with none known yet. */
  async function explain(text: string, types: string, values: string, generic: boolean) {
    const name = `watched_${(watched += 1)}`;
    return room.database.transaction({ role: 'worker' }, async (tx) => {
      const mode = generic ? 'force_generic_plan' : 'force_custom_plan';
      await tx.query({ text: `SELECT set_config('plan_cache_mode', '${mode}', true)` });
      await tx.query({ text: `PREPARE ${name} (${types}) AS ${text}` });
      const { rows } = await tx.query<Explained>({
        text: `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${name} (${values})`,
      });
      const [explained] = rows[0]?.['QUERY PLAN'] ?? [];
      if (!explained) throw new Error('there is no plan');
      return { nodes: [...nodesOf(explained.Plan)], executionMs: explained['Execution Time'] };
    });
  }

  function expectFewRows(nodes: PlanNode[], rowsMax: number): void {
    const big = nodes.filter(({ 'Relation Name': name }) => /^webhook_(deliveries|events)$/.test(name ?? ''));
    expect(big.length).toBeGreaterThan(0);
    expect(big.filter(({ 'Node Type': type }) => type === 'Seq Scan')).toEqual([]);
    const touched = big.map((node) => {
      const perLoop = (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0);
      return perLoop * (node['Actual Loops'] ?? 1);
    });
    expect(Math.max(...touched)).toBeLessThanOrEqual(rowsMax);
  }

  describe.each([
    ['before statistics are there', false],
    ['with statistics', true],
  ])('%s', (_name, analyzed) => {
    beforeAll(async () => {
      if (analyzed) await room.analyze();
    });

    it.each([true, false])(
      'a claim reads as many rows as it takes, and no more (generic plan: %s)',
      async (generic) => {
        const { nodes, executionMs } = await explain(CLAIM_DUE, CLAIM_TYPES, `now(), 2, '{}', '{}', 64, 8`, generic);
        expectFewRows(nodes, ENDPOINTS * 8);
        expect(executionMs).toBeLessThan(500);
      },
    );

    it('the next due time is found by one probe for each endpoint', async () => {
      const { nodes } = await explain(NEXT_DUE, 'boolean', 'true', true);
      expectFewRows(nodes, ENDPOINTS * 8);
    });

    it('a result is written without reading what else waits', async () => {
      const [claimed] = (
        await room.store.claimDue(new Date(), { perEndpoint: 1, rooms: new Map(), inAll: 1, failing: 1 })
      ).claimed;
      if (!claimed) throw new Error('nothing was claimed');
      const values = settleOf(claimed.clientId, claimed.id, claimed.endpoint.id);
      const { nodes } = await explain(SETTLE, SETTLE_TYPES, values, true);
      expectFewRows(nodes, 10);
    });
  });
});

describe('on a connection whose plans were made while the tables were empty', () => {
  let room: WebhookRoom;
  beforeAll(async () => {
    room = await WebhookRoom.open();
    await room.analyze();
  });
  afterAll(() => room.close());

  it.each([
    ['a claim', CLAIM_DUE, CLAIM_TYPES, `now(), 8, '{}', '{}', 32, 8`],
    ['the next due time', NEXT_DUE, 'boolean', 'true'],
    ['a result', SETTLE, SETTLE_TYPES, settleOf('cli_1', 'dlv_1', 'we_1')],
  ])('%s still finds its rows by the index that names them', async (_what, text, types, values) => {
    const plan = await room.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query({ text: `SELECT set_config('plan_cache_mode', 'force_generic_plan', true)` });
      await tx.query({ text: `PREPARE made_early (${types}) AS ${text}` });
      const { rows } = await tx.query<{ 'QUERY PLAN': string }>({ text: `EXPLAIN EXECUTE made_early (${values})` });
      await tx.query({ text: 'DEALLOCATE made_early' });
      return rows.map((row) => row['QUERY PLAN']);
    });
    const scans = plan.filter((line) => /webhook_(deliveries|events|tries)/.test(line));
    expect(scans.length).toBeGreaterThan(0);
    expect(scans.filter((line) => line.includes('Seq Scan'))).toEqual([]);
    // By client alone it would read all that the client ever had. The condition is in the line below its scan.
    const inLine = plan.filter((_, place) => /webhook_deliveries_(?:of|in)_line/.test(plan[place - 1] ?? ''));
    expect(inLine.filter((line) => !/Index Cond: .*recovery_id = .*endpoint_id = /.test(line))).toEqual([]);
  });
});
