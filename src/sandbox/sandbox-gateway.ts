/** One charge that the test gateway itself made, declined ones too (openapi.yaml). */
export interface LedgerCharge {
  revtainTransactionId: string | null;
  attemptId: string | null;
  /** Minor units. */
  amount: number;
  currency: string;
  status: 'succeeded' | 'failed' | 'pending';
  declineCode: string | null;
  at: Date;
}

/** What the sandbox asks of the test gateway beside Stripe's protocol; implemented by its admin side. */
export abstract class SandboxGateway {
  /** How far the account's clock is ahead of real time, in milliseconds. */
  abstract setClock(accountId: string, offsetMs: number): Promise<void>;

  /** Every charge made for the account, oldest first. */
  abstract ledger(accountId: string): Promise<LedgerCharge[]>;
}
