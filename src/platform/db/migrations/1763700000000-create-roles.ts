import type { MigrationInterface, QueryRunner } from 'typeorm';

import { StartRefused } from '../../start-refused.js';

const ROLES = ['revtain_tenant', 'revtain_worker'];

/**
 * The two roles that row-level security knows. Neither logs in, owns a table or bypasses a policy: our login switches to
 * one of them at the start of each transaction. Roles belong to the whole cluster, so two databases may race here.
 */
export class CreateRoles1763700000000 implements MigrationInterface {
  readonly name = 'CreateRoles1763700000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const role of ROLES) {
      try {
        await runner.query(`
          DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN
              CREATE ROLE ${role} NOLOGIN NOINHERIT NOBYPASSRLS;
            END IF;
          EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
          END $$`);
        // A login that was granted the role by an administrator may not grant it itself, and need not.
        await runner.query(`
          DO $$ BEGIN
            GRANT ${role} TO CURRENT_USER;
          EXCEPTION WHEN unique_violation OR insufficient_privilege THEN NULL;
          END $$`);
        await runner.query(`DO $$ BEGIN SET LOCAL ROLE ${role}; RESET ROLE; END $$`);
      } catch (cause) {
        throw new StartRefused(
          `the database login may not create the role ${role}; as a superuser run: ` +
            ROLES.map((each) => `CREATE ROLE ${each} NOLOGIN; GRANT ${each} TO <the login of DATABASE_URL>;`).join(' '),
          { cause },
        );
      }
    }
    for (const role of ROLES) {
      await runner.query(`
        DO $$ BEGIN
          EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${role}', current_schema());
        END $$`);
    }
    await runner.query(`
      CREATE FUNCTION client_time(real_now timestamptz, offset_ms bigint, frozen_at timestamptz, frozen_until timestamptz)
      RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN frozen_until > real_now THEN frozen_at
                    ELSE real_now + offset_ms * interval '1 millisecond' END
      $$`);
  }

  /** The roles stay: another database of the cluster may use them. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION client_time(timestamptz, bigint, timestamptz, timestamptz)');
  }
}
