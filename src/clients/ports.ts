import type { Transaction } from '../platform/db/database.js';

/** Accounts on the test gateway; implemented by its admin side. */
export abstract class TestAccounts {
  /** Makes the client's account, or finds it. The key is clear text and sealed by the caller. */
  abstract createAccount(clientId: string): Promise<{ secretKey: string }>;
}

/** The endpoint that `webhookUrl` creates; implemented by the webhooks room. */
export abstract class FirstEndpoint {
  /**
   * Stores the endpoint in the caller's transaction, which is already the tenant's. The secret is clear text, shown once.
   * @throws {DomainError} when the URL is none we would call.
   */
  abstract create(tx: Transaction, clientId: string, url: string): Promise<{ secret: string }>;
}
