import type { Statement } from './database.js';

/** Something a person must hear of, told outside of any change. Facts hold ids, codes and counts; never customer data. */
export interface OperatorAlert {
  clientId: string;
  id: string;
  kind: string;
  severity: 'info' | 'warning' | 'critical';
  recoveryId?: string;
  facts: Record<string, string | number | boolean | null>;
  dedupeKey: string;
  at: Date;
}

/** Writes an alert, unless one under its key is open: it is told once. */
export function tellOperator({
  clientId,
  id,
  kind,
  severity,
  recoveryId,
  facts,
  dedupeKey,
  at,
}: OperatorAlert): Statement {
  return {
    name: 'tell_operator',
    text: `INSERT INTO operator_alerts (client_id, id, kind, severity, recovery_id, facts, dedupe_key, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
    values: [clientId, id, kind, severity, recoveryId ?? null, JSON.stringify(facts), dedupeKey, at],
  };
}
