import { SystemClock } from '../../src/platform/clock.js';
import type { Gateway, GatewayAccount } from '../../src/gateways/gateway.js';
import { GatewayRegistry, TestGatewayAddress } from '../../src/gateways/registry.js';
import { type SeenRequest, StubStripe } from './stub-stripe.js';

export const account: GatewayAccount = { clientId: 'cli_1', provider: 'stripe', secretKey: 'sk_test_1' };
export const options = { timeoutMs: 2_000 };

/** The Stripe adapter as the product builds it, over a stub. */
export interface StubbedGateway {
  stub: StubStripe;
  gateway: Gateway;
  readonly close: () => Promise<void>;
}

export async function stubbedGateway(): Promise<StubbedGateway> {
  const stub = await StubStripe.start();
  const registry = new GatewayRegistry(new SystemClock(), new TestGatewayAddress(), { stripeApiBase: stub.url.origin });
  const close = async (): Promise<void> => {
    await registry.onApplicationShutdown();
    await stub.stop();
  };
  return { stub, gateway: registry.gatewayFor(account), close };
}

/** `GET /v1/charges/ch_1` */
export function asked(request: SeenRequest | undefined): string {
  return `${request?.method ?? ''} ${request?.path ?? ''}`;
}

/** The form fields of a request. */
export function sent(request: SeenRequest | undefined): object {
  return Object.fromEntries(request?.form ?? []);
}
