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

/** A clock that shows one instant, as long as it is not let go: until then, in real time, if its holder dies. */
export interface StandingClock {
  at: Date;
  until: Date;
}

/** What the sandbox asks of the test gateway beside Stripe's protocol; implemented by its admin side. */
export abstract class SandboxGateway {
  /** How far the account's clock is ahead of real time, in milliseconds; null where it does not stand still. */
  abstract setClock(accountId: string, offsetMs: number, standing: StandingClock | null): Promise<void>;

  /** Every charge made for the account, oldest first. */
  abstract ledger(accountId: string): Promise<LedgerCharge[]>;
}
