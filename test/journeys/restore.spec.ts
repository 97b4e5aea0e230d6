import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { copyOf, createTestDatabase, type TestDatabase } from '../support/database.js';
import { Merchant } from '../support/merchant.js';
import { type OwnTestGateway, ownTestGateway, type TestAccount } from '../support/own-test-gateway.js';
import { HOUR_MS, later, World } from '../support/story.js';

const masterKey = randomBytes(32).toString('base64');

let own: OwnTestGateway;
let account: TestAccount;
let database: TestDatabase;
let backup: TestDatabase;

// The gateway keeps its ledger in a database of its own: it remembers what a restored one has forgotten.
beforeAll(async () => {
  own = await ownTestGateway();
  account = await own.newAccount();
  database = await createTestDatabase();
}, 120_000);

afterAll(async () => {
  await own.stop();
  await database.drop();
  await backup.drop();
});

const start = (on: TestDatabase) =>
  World.start({
    database: on,
    masterKey,
    settings: { STRIPE_API_BASE: own.gateway.url, REVTAIN_GATEWAY_TIMEOUT_MS: '20000' },
  });

const ledger = () => own.admin.ledger(account.accountId);
const paid = async () => (await ledger()).filter(({ status }) => status === 'succeeded').length;

async function advanceTo(merchant: Merchant, instant: string): Promise<void> {
  await own.admin.setClock(account.accountId, new Date(instant).getTime() - Date.now());
  await merchant.advanceTo(instant);
}

describe('a database that is restored to where it was an hour ago', () => {
  it('charges nothing again: the gateway has seen each key, and each payment is read before it is charged', async () => {
    let world = await start(database);
    const settled = await world.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
    const at = (here: World) => new Merchant(here.app.url, here.receiver, settled.account);

    const ids: string[] = [];
    let lastDueAt = '';
    const accept = async (request: Record<string, unknown>) => {
      const { status, body } = await at(world).execute(request);
      expect(status).toBe(202);
      ids.push(body.transactionId);
      if (String(body.scheduledFor) > lastDueAt) lastDueAt = String(body.scheduledFor);
    };
    // Never charged yet: their payments are not even made. And charged once: their payments are known.
    for (let debt = 0; debt < 5; debt += 1)
      await accept({ originalDeclineCode: 'insufficient_funds', amount: 3_000 + debt });
    for (let debt = 0; debt < 3; debt += 1)
      await accept({ paymentMethodToken: 'pm_test_do_not_honor_x1', amount: 4_000 + debt });
    await world.stop();
    backup = await copyOf(database);

    world = await start(database);
    await advanceTo(at(world), later(lastDueAt, HOUR_MS / 2));
    for (const id of ids) expect(await at(world).status(id)).toMatchObject({ state: 'succeeded' });
    await world.stop();
    const before = await ledger();
    expect(await paid()).toBe(ids.length);

    world = await start(backup);
    for (const id of ids) expect(await at(world).status(id)).toMatchObject({ state: 'queued' });
    await advanceTo(at(world), later(lastDueAt, HOUR_MS));
    for (const id of ids) expect(await at(world).status(id)).toMatchObject({ state: 'succeeded' });
    expect(await ledger()).toEqual(before);
    const verified = await world.operator.get<{ held: boolean; invariants: { name: string; held: boolean }[] }>(
      '/api/verify',
    );
    expect(verified.body.invariants.filter(({ held }) => !held)).toEqual([]);
    await world.stop();
  }, 180_000);
});
