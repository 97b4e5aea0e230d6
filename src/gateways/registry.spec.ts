import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { paymentIntent } from '../../test/support/stripe-objects.js';
import { account, options, stubbedGateway, type StubbedGateway } from '../../test/support/stubbed-gateway.js';
import { SystemClock } from '../platform/clock.js';
import type { ChargeRequest, GatewayAccount } from './gateway.js';
import { GatewayRegistry, TestGatewayAddress } from './registry.js';

let stub: StubbedGateway['stub'];
let close: StubbedGateway['close'];

beforeEach(async () => {
  ({ stub, close } = await stubbedGateway());
});

afterEach(() => close());

const onPayment: ChargeRequest = {
  target: { kind: 'payment', paymentId: 'pi_1', returnUrl: null },
  paymentMethodToken: 'pm_1',
  idempotencyKey: 'TX:att_1',
};

describe('the registry', () => {
  const testAccount: GatewayAccount = { ...account, provider: 'test' };

  it('follows the test gateway to the address it has now', async () => {
    const address = new TestGatewayAddress();
    const own = new GatewayRegistry(new SystemClock(), address, { stripeApiBase: null });
    const test = own.gatewayFor(testAccount);
    await expect(test.charge(testAccount, onPayment, options)).resolves.toMatchObject({ kind: 'back_off' });
    await expect(test.readPayment(testAccount, 'pi_1', options)).resolves.toMatchObject({ kind: 'unavailable' });
    await expect(test.isReachable(options)).resolves.toBe(false);

    address.set(stub.url.origin);
    stub.willAnswer({ body: paymentIntent({ status: 'succeeded' }) }, { text: 'ok' });
    await expect(test.charge(testAccount, onPayment, options)).resolves.toHaveProperty('kind', 'succeeded');
    await expect(test.isReachable(options)).resolves.toBe(true);
    await own.onApplicationShutdown();
  });

  it('keeps the two providers apart', async () => {
    const own = new GatewayRegistry(new SystemClock(), new TestGatewayAddress(), { stripeApiBase: null });
    expect(own.gatewayFor(account)).not.toBe(own.gatewayFor(testAccount));
    await own.onApplicationShutdown();
  });
});
