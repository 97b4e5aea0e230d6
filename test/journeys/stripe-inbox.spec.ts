import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { stripeSignature, StripeShop } from '../support/stripe-events.js';
import { World } from '../support/story.js';

let world: World;
let shop: StripeShop;

beforeAll(async () => {
  world = await World.start();
  shop = await StripeShop.open(world);
});

afterAll(async () => {
  await world.stop();
});

let made = 0;
const event = (more: Record<string, unknown> = {}) => ({
  id: `evt_test_${++made}`,
  object: 'event',
  type: 'invoice.paid',
  livemode: false,
  created: 1_795_000_000,
  data: { object: { id: `in_test_${made}`, object: 'invoice', status: 'paid', customer: 'cus_1' } },
  request: { id: null, idempotency_key: null },
  ...more,
});
const kept = async (id: string, { merchant } = shop) => {
  const text = `SELECT status, outcome FROM connector_events WHERE client_id = $1 AND event_id = $2`;
  const { rows } = await world.database.query<{ status: string; outcome: string | null }>(text, [
    merchant.clientId,
    id,
  ]);
  return rows[0] ?? null;
};
const count = async () => (await world.database.query(`SELECT FROM connector_events`)).rowCount;

describe('an inbound event', () => {
  it('is acknowledged once it is stored, and worked afterwards', async () => {
    const one = event();
    await shop.send(one);
    expect(await kept(one.id)).not.toBeNull();
    await shop.worked();
    expect(await kept(one.id)).toEqual({ status: 'done', outcome: 'no_recovery' });
  });

  it('that comes twice is kept once', async () => {
    const one = event();
    await Promise.all([shop.send(one), shop.send(one), shop.send(one)]);
    await shop.worked();
    const before = await count();
    await shop.send(one);
    expect(await count()).toBe(before);
  });

  it.each([
    ['of another mode', { livemode: true }, 'other_mode'],
    ['of another account', { account: 'acct_of_somebody' }, 'foreign_account'],
    ['of a type that nobody asked for', { type: 'invoice.upcoming' }, 'unknown_type'],
    ['about nothing', { data: { object: {} } }, 'no_subject'],
  ])('%s is kept, and ignored', async (_title, more, outcome) => {
    const one = event(more);
    await shop.send(one);
    expect(await kept(one.id)).toEqual({ status: 'ignored', outcome });
  });

  it('that is signed and no JSON is kept as unreadable', async () => {
    const { status } = await shop.post('not { json');
    expect(status).toBe(200);
    expect(await shop.outcomes()).toContain('none unreadable');
  });

  it('keeps no name, address or card number of what it holds', async () => {
    const one = event({
      data: {
        object: {
          ...{ id: 'in_private', object: 'invoice', customer: 'cus_1', customer_email: 'jane@private.example' },
          ...{ customer_name: 'Jane Private', number: '4242424242424242' },
        },
      },
    });
    await shop.send(one);
    const { rows } = await world.database.query<{ row: string }>(
      `SELECT e::text AS row FROM connector_events e WHERE event_id = $1`,
      [one.id],
    );
    expect(rows[0]?.row).not.toMatch(/jane|private\.example|4242/i);
  });
});

describe('what is refused', () => {
  const refusal = async (sent: ReturnType<StripeShop['post']>) => {
    const before = await count();
    const { status, body } = await sent;
    expect(await count()).toBe(before);
    return { status, code: body['code'], detail: String(body['detail']) };
  };
  const signed = (body: string, secret?: string, seconds?: number) => ({
    'stripe-signature': stripeSignature(body, secret, seconds),
  });
  const now = () => Math.floor(Date.now() / 1000);

  it('a wrong secret, and it says so', async () => {
    const body = JSON.stringify(event());
    const refused = await refusal(shop.post(body, signed(body, 'whsec_other')));
    expect(refused).toMatchObject({ status: 400, code: 'bad_signature' });
    expect(refused.detail).toMatch(/another endpoint's secret/);
  });

  it('a body that was parsed and encoded anew, and it says so', async () => {
    const one = event();
    const header = { 'stripe-signature': stripeSignature(JSON.stringify(one, null, 2)) };
    expect((await refusal(shop.post(JSON.stringify(one), header))).detail).toMatch(/re-encoded/);
  });

  it('an empty body: a set-up error', async () => {
    expect((await refusal(shop.post('', signed('')))).detail).toMatch(/the body is empty.*set-up/);
  });

  it.each([
    [-301, 'in the past'],
    [301, 'in the future'],
  ])('a timestamp %d s off', async (skew, which) => {
    const body = JSON.stringify(event());
    const refused = await refusal(shop.post(body, signed(body, undefined, now() + skew + Math.sign(skew) * 5)));
    expect(refused.detail).toMatch(new RegExp(`30\\d s ${which}: clock skew`));
  });

  it.each([[{}], [{ 'stripe-signature': 'nonsense' }], [{ 'stripe-signature': 't=1,v0=00' }]])(
    'no signature: %j',
    async (headers) => {
      expect(await refusal(shop.post(JSON.stringify(event()), headers))).toMatchObject({ code: 'bad_signature' });
    },
  );

  it('a client without a secret, told apart', async () => {
    const bare = await world.merchant();
    const url = shop.url.replace(shop.merchant.clientId, bare.clientId);
    const body = JSON.stringify(event());
    expect((await refusal(shop.post(body, signed(body), url))).detail).toMatch(/no webhook secret yet/);
  });

  it('a client or a platform that there is not', async () => {
    const body = JSON.stringify(event());
    const nobody = shop.url.replace(/cli_\w+/, 'cli_01KB5Z7M3QG8T2V4XW6Y9ACDEF');
    expect(await refusal(shop.post(body, signed(body), nobody))).toMatchObject({ status: 404 });
    const nowhere = shop.url.replace('stripe-billing', 'paypal');
    expect(await refusal(shop.post(body, signed(body), nowhere))).toMatchObject({ status: 404 });
  });

  it('the alias for one client, where there are several', async () => {
    const body = JSON.stringify(event());
    const alias = `${shop.merchant.api.url}/webhooks/stripe`;
    expect(await refusal(shop.post(body, signed(body), alias))).toMatchObject({ status: 404 });
  });
});

describe('a secret that is rolled', () => {
  it('leaves the earlier one valid for a day, and the client’s own new one', async () => {
    const { api } = shop.merchant;
    const gateway = { provider: 'test', webhookSecret: 'whsec_rolled' };
    const patched = await api.call('PATCH', `/api/clients/${shop.merchant.clientId}`, { body: { gateway } });
    expect(patched.status).toBe(200);
    for (const secret of ['whsec_rolled', undefined]) {
      const body = JSON.stringify(event());
      expect((await shop.post(body, { 'stripe-signature': stripeSignature(body, secret) })).status).toBe(200);
    }
    await world.database.query(`UPDATE gateway_webhook_secrets SET expires_at = now() - interval '1 s'`);
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // How long a process keeps what it has read.
    const body = JSON.stringify(event());
    expect((await shop.post(body)).status).toBe(400);
    expect((await shop.post(body, { 'stripe-signature': stripeSignature(body, 'whsec_rolled') })).status).toBe(200);
  });
});

it('of many secrets the newest five prove an event', async () => {
  const other = await StripeShop.open(world);
  for (let secret = 1; secret <= 6; secret += 1) {
    const gateway = { provider: 'test', webhookSecret: `whsec_${secret}` };
    await other.merchant.api.call('PATCH', `/api/clients/${other.merchant.clientId}`, { body: { gateway } });
  }
  const body = JSON.stringify(event());
  const answers = [1, 2, 6].map((secret) =>
    other.post(body, { 'stripe-signature': stripeSignature(body, `whsec_${secret}`) }),
  );
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([400, 200, 200]);
});

describe('a statement that fails for no fault of the row', () => {
  it('is answered 503 and nothing is kept, its facts are not given up; sent again it is taken', async () => {
    world.expectErrors();
    const other = await StripeShop.open(world);
    const one = event();
    // The first two statements that hold it are canceled, as by a lock that is held too long.
    await world.database.query(`CREATE SEQUENCE refusals; GRANT ALL ON SEQUENCE refusals TO PUBLIC`);
    await world.database.query(`CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.event_id = '${one.id}' AND nextval('refusals') <= 2 THEN
        RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014'; END IF;
      RETURN NEW; END $$`);
    await world.database.query(
      `CREATE TRIGGER refuse_twice BEFORE INSERT ON connector_events FOR EACH ROW EXECUTE FUNCTION refuse_twice()`,
    );
    expect((await other.post(JSON.stringify(one))).status).toBe(503);
    expect((await other.post(JSON.stringify(one))).status).toBe(503);
    expect(await kept(one.id, other)).toBeNull();
    await other.send(one);
    await other.worked();
    expect(await kept(one.id, other)).toEqual({ status: 'done', outcome: 'no_recovery' });
    await world.database.query(`DROP TRIGGER refuse_twice ON connector_events`);
  });

  it('a row that the database refuses fails no neighbour', async () => {
    world.expectErrors();
    const other = await StripeShop.open(world);
    const [bad, good] = [event(), event()];
    await world.database.query(
      `ALTER TABLE connector_events ADD CONSTRAINT one_refused CHECK (event_id <> '${bad.id}' OR status = 'ignored')`,
    );
    await Promise.all([other.send(bad), other.send(good)]);
    await other.worked();
    expect(await kept(bad.id, other)).toEqual({ status: 'ignored', outcome: 'unreadable' });
    expect(await kept(good.id, other)).toEqual({ status: 'done', outcome: 'no_recovery' });
    await world.database.query(`ALTER TABLE connector_events DROP CONSTRAINT one_refused`);
  });
});

describe('without its database', () => {
  it('answers 503 and has taken nothing; sent again it is taken', async () => {
    const other = await StripeShop.open(world);
    const one = event();
    await other.send(event()); // The secrets are known: only the storing fails.
    await world.withoutDatabase(async () => {
      expect((await other.post(JSON.stringify(one))).status).toBe(503);
    });
    expect(await kept(one.id)).toBeNull();
    await other.send(one);
    await other.worked();
  });
});
