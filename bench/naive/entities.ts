import { Column, DefaultNamingStrategy, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';

/** The rows of our own tables, as a team would map them; columns with a default that stays are left out. */
@Entity('clients')
export class Client {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') gatewayProvider!: string;
  @Column('bytea') gatewayKeySealed!: Buffer;
  @Column('boolean') livemode!: boolean;
  @Column('boolean') isTest!: boolean;
  @Column('text') defaultCurrency!: string;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') updatedAt!: Date;
}

@Entity('api_keys')
export class ApiKey {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') kind!: string;
  @Column('bytea') hash!: Buffer;
  @Column('text') hint!: string;
  @Column('timestamptz') createdAt!: Date;
  @ManyToOne(() => Client) @JoinColumn({ name: 'client_id' }) client!: Relation<Client>;
}

@Entity('idempotency_keys')
export class IdempotencyKey {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') key!: string;
  @Column('bytea') fingerprint!: Buffer;
  @Column('text', { nullable: true }) recoveryId!: string | null;
  @Column('smallint', { nullable: true }) statusCode!: number | null;
  @Column('bytea', { nullable: true }) body!: Buffer | null;
  @Column('timestamptz') createdAt!: Date;
}

@Entity('recoveries')
export class Recovery {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') state!: string;
  @Column('bigint') sequence!: number;
  @Column('text') debtName!: string;
  @Column('text', { nullable: true }) paymentObjectId!: string | null;
  @Column('text', { nullable: true }) paymentObjectKind!: string | null;
  @Column('boolean') paymentIsOurs!: boolean;
  @Column('text', { nullable: true }) idempotencyKey!: string | null;
  @Column('text', { nullable: true }) reference!: string | null;
  @Column('text', { nullable: true }) gatewayCustomerId!: string | null;
  @Column('bigint') amountRequestedMinor!: number;
  @Column('bigint') amountMinor!: number;
  @Column('text') currency!: string;
  @Column('bytea') tokenSealed!: Buffer;
  @Column('bytea') tokenHash!: Buffer;
  @Column('jsonb', { nullable: true }) card!: object | null;
  @Column('text', { nullable: true }) cardFingerprint!: string | null;
  @Column('jsonb') policy!: object;
  @Column('boolean') livemode!: boolean;
  @Column('boolean') isTest!: boolean;
  @Column('timestamptz') roundOpenedAt!: Date;
  @Column('timestamptz') deadlineAt!: Date;
  @Column('int') attemptsOpened!: number;
  @Column('int') attemptCount!: number;
  @Column('int') attemptsRemaining!: number;
  @Column('timestamptz', { nullable: true }) dueAt!: Date | null;
  @Column('text', { nullable: true }) dueKind!: string | null;
  @Column('jsonb') advice!: object;
  @Column('text') message!: string;
  @Column('text', { nullable: true }) trigger!: string | null;
  @Column('timestamptz', { nullable: true }) recoveredAt!: Date | null;
  @Column('text', { nullable: true }) gatewayTransactionToken!: string | null;
  @Column('text', { nullable: true }) finalEventId!: string | null;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') updatedAt!: Date;
}

@Entity('attempts')
export class Attempt {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') recoveryId!: string;
  @Column('int') number!: number;
  @Column('int') round!: number;
  @Column('text') trigger!: string;
  @Column('text') strategy!: string;
  @Column('bigint') amountMinor!: number;
  @Column('text') currency!: string;
  @Column('bytea') tokenHash!: Buffer;
  @Column('text', { nullable: true }) cardFingerprint!: string | null;
  @Column('text') paymentObjectId!: string;
  @Column('text') gatewayKey!: string;
  @Column('jsonb') witness!: object;
  @Column('text', { nullable: true }) outcome!: string | null;
  @Column('timestamptz') openedAt!: Date;
  @Column('timestamptz') sentAt!: Date;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
  @Column('text', { nullable: true }) gatewayTransactionToken!: string | null;
}

@Entity('recovery_events')
export class TimelineStep {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') recoveryId!: string;
  @PrimaryColumn('bigint') sequence!: number;
  @Column('timestamptz') at!: Date;
  @Column('text') type!: string;
  @Column('text', { nullable: true }) fromState!: string | null;
  @Column('text') toState!: string;
  @Column('text') rule!: string;
  @Column('jsonb') inputs!: object;
  @Column('text') actor!: string;
}

@Entity('webhook_endpoints')
export class Endpoint {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') url!: string;
  @Column('boolean') enabled!: boolean;
  @Column('bytea') secretSealed!: Buffer;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') updatedAt!: Date;
}

@Entity('webhook_events')
export class Event {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') recoveryId!: string;
  @Column('text') type!: string;
  @Column('boolean') isDefault!: boolean;
  @Column('bigint') sequence!: number;
  @Column('boolean') final!: boolean;
  @Column('bytea') body!: Buffer;
  @Column('timestamptz') createdAt!: Date;
}

@Entity('webhook_deliveries')
export class Delivery {
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') eventId!: string;
  @Column('text') endpointId!: string;
  @Column('text') recoveryId!: string;
  @Column('bigint') eventSequence!: number;
  @Column('text') status!: string;
  @Column('timestamptz', { nullable: true }) nextTryAt!: Date | null;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') updatedAt!: Date;
}

export const ENTITIES = [ApiKey, Attempt, Client, Delivery, Endpoint, Event, IdempotencyKey, Recovery, TimelineStep];

/** `debtName` is the column `debt_name`, as it is in our tables. */
export class SnakeCaseNames extends DefaultNamingStrategy {
  override columnName(propertyName: string, customName: string | undefined): string {
    return customName || propertyName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
}
