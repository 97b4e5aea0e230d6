/**
 * The statements that put one table behind row-level security: a tenant sees the rows of the client it entered as, a
 * worker sees all. FORCE holds the owner to it too, so a login that forgot to take a role sees nothing.
 *
 * @param grants what both roles may do, for example `SELECT, INSERT, UPDATE`
 */
export function tenantPolicy(table: string, grants: string, clientColumn = 'client_id'): string {
  return `
    ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON ${table} TO revtain_tenant
      USING (${clientColumn} = current_setting('revtain.client_id', true))
      WITH CHECK (${clientColumn} = current_setting('revtain.client_id', true));
    CREATE POLICY worker ON ${table} TO revtain_worker USING (true) WITH CHECK (true);
    GRANT ${grants} ON ${table} TO revtain_tenant, revtain_worker;`;
}
