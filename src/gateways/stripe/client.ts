import Stripe from 'stripe';

/** What every call asks for and every mapping here reads; the SDK's types know no other, so a new SDK fails to compile. */
export const STRIPE_API_VERSION: Stripe.LatestApiVersion = '2026-10-28.endive';
/** One client is some 100 kB of resource objects; merchants beyond this are rebuilt when they come again. */
const CLIENTS_MAX = 500;
/** Never reached: each call brings its own, shorter deadline. Replaces the SDK's 80 s. */
const TIMEOUT_MS_FALLBACK = 20_000;

/** One SDK client per address and secret key, the least recently used forgotten first. Keys are never logged. */
export class StripeClients {
  private readonly clients = new Map<string, Stripe>();

  constructor(
    private readonly httpClient: Stripe.HttpClient,
    private readonly clientsMax = CLIENTS_MAX,
  ) {}

  /** The client that calls `base` with this key: sends once, retries nothing, reports nothing about itself. */
  clientFor(secretKey: string, base: URL): Stripe {
    const name = `${base.origin} ${secretKey}`;
    const known = this.clients.get(name);
    this.clients.delete(name); // Set again below: a Map keeps the order of setting, so the first is the oldest.
    const client = known ?? this.build(secretKey, base);
    this.clients.set(name, client);
    this.forgetOldest();
    return client;
  }

  /** How many clients are held now. */
  get size(): number {
    return this.clients.size;
  }

  private build(secretKey: string, base: URL): Stripe {
    const protocol = base.protocol === 'http:' ? 'http' : 'https';
    return new Stripe(secretKey, {
      apiVersion: STRIPE_API_VERSION,
      httpClient: this.httpClient,
      maxNetworkRetries: 0,
      telemetry: false,
      timeout: TIMEOUT_MS_FALLBACK,
      protocol,
      host: base.hostname,
      port: base.port || (protocol === 'http' ? '80' : '443'),
    });
  }

  private forgetOldest(): void {
    const [oldest] = this.clients.keys();
    if (oldest !== undefined && this.clients.size > this.clientsMax) this.clients.delete(oldest);
  }
}
