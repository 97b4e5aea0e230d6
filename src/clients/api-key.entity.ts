import { Column, Entity, PrimaryColumn } from 'typeorm';

import type { KeyKind } from './caller.js';

/** One API key, as its hash; the key itself was shown once. */
@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn({ type: 'text', name: 'client_id' })
  clientId!: string;

  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text' })
  kind!: KeyKind;

  @Column({ type: 'text', nullable: true })
  name!: string | null;

  @Column({ type: 'bytea' })
  hash!: Buffer;

  /** Its beginning and end, so that people tell their keys apart. */
  @Column({ type: 'text' })
  hint!: string;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;
}
