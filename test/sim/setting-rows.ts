import { COLUMNS } from '../../src/clients/settings-row.js';
import type { Statement } from '../../src/platform/db/database.js';
import type { Tables } from './memory/tables.js';

/** The rows that a world begins with, as PostgreSQL takes them. */
export function settingOf(tables: Tables): Statement[] {
  const statements: Statement[] = [];
  for (const client of tables.clients.all()) {
    const named = Object.entries(COLUMNS).map(([property, column]) => [column, client[property]] as const);
    statements.push(insert('clients', [...named, ['gateway_key_sealed', client['gatewayKeySealed']]]));
  }
  for (const endpoint of tables.endpoints.all()) {
    const [client] = [...tables.clients.all()].filter(({ id }) => id === endpoint.client_id);
    const times = [
      ['created_at', client?.['createdAt']],
      ['updated_at', client?.['createdAt']],
    ] as const;
    statements.push(insert('webhook_endpoints', [...Object.entries(endpoint), ...times]));
  }
  return statements;
}

function insert(table: string, columns: readonly (readonly [string, unknown])[]): Statement {
  const places = columns.map((_column, place) => `$${place + 1}`);
  const isJson = (name: string) => name === 'policy';
  return {
    text: `INSERT INTO ${table} (${columns.map(([name]) => name).join(', ')}) VALUES (${places.join(', ')})`,
    values: columns.map(([name, value]) => (isJson(name) ? JSON.stringify(value) : value)),
  };
}
