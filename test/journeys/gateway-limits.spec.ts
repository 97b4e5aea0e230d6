import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { GatewayProxy } from '../support/gateway-proxy.js';
import type { Merchant } from '../support/merchant.js';
import { type OwnTestGateway, ownTestGateway, type TestAccount } from '../support/own-test-gateway.js';
import { World } from '../support/story.js';

const PER_SECOND = 10;
/** Saved up: a quarter of a second's calls. */
const BURST = 3;

let own: OwnTestGateway;
let account: TestAccount;
let proxy: GatewayProxy;
let world: World;
let merchant: Merchant;
/** When each call came to the gateway. */
const cameAtMs: number[] = [];

beforeAll(async () => {
  own = await ownTestGateway();
  account = await own.newAccount();
  proxy = await GatewayProxy.start(own.gateway.url);
  world = await World.start({
    settings: {
      STRIPE_API_BASE: proxy.url,
      REVTAIN_GATEWAY_TIMEOUT_MS: '20000',
      REVTAIN_GATEWAY_CALLS_PER_SECOND: String(PER_SECOND),
    },
  });
  merchant = await world.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
}, 120_000);

afterAll(async () => {
  await world.stop();
  await proxy.stop();
  await own.stop();
});

const charges = () => own.admin.ledger(account.accountId);

describe('an account that may be called ten times a second', () => {
  it('is called no more than that, whatever comes at once, and every debt is collected once', async () => {
    proxy.interfere(() => (cameAtMs.push(performance.now()), null));
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, debt) => merchant.execute({ amount: 2_500 + debt })),
    );
    proxy.calm();
    // Whoever got no turn in time is queued, and comes again.
    for (const { status } of answers) expect([200, 202]).toContain(status);
    for (let from = 0; from + PER_SECOND + BURST < cameAtMs.length; from += 1) {
      const spanMs = (cameAtMs[from + PER_SECOND + BURST] ?? 0) - (cameAtMs[from] ?? 0);
      // Calls are let go at their times; on a busy machine one may be late and the next one not.
      expect(spanMs).toBeGreaterThan(700);
    }
    expect(cameAtMs.length).toBeGreaterThan(24);
    const paid = answers.filter(({ status }) => status === 200).length;
    expect((await charges()).length).toBe(paid);
  }, 60_000);

  it('is left alone for as long as it asks, and collected once after that', async () => {
    const before = (await charges()).length;
    let refused = 0;
    const refusedAtMs: number[] = [];
    const afterwardsMs: number[] = [];
    const limited = { error: { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests' } };
    proxy.interfere(({ path }) => {
      if (refusedAtMs.length > 0) afterwardsMs.push(performance.now());
      if (!path.endsWith('/confirm') || refused === 1) return null;
      refused += 1;
      refusedAtMs.push(performance.now());
      return { status: 429, body: limited };
    });
    const { body } = await merchant.execute({ amount: 7_000 });
    proxy.calm();
    expect(body.state).toBe('succeeded');
    expect(refused).toBe(1);
    // Without a time of its own, an answer 429 asks for two seconds.
    expect((afterwardsMs[0] ?? 0) - (refusedAtMs[0] ?? 0)).toBeGreaterThan(1_900);
    expect(await charges()).toHaveLength(before + 1);
  }, 60_000);
});
