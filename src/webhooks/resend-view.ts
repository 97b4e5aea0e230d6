/** One row of `webhook_resends`. */
export interface ResendRow extends Record<string, unknown> {
  client_id: string;
  id: string;
  kind: 'missed' | 'filter';
  endpoint_id: string | null;
  asked: Record<string, unknown>;
  status: 'running' | 'done' | 'stopped';
  cursor_id: string;
  end_id: string;
  total: number;
  queued: number;
  created_at: Date;
  updated_at: Date;
  finished_at: Date | null;
}

export interface CountedResendRow extends ResendRow {
  delivered: number;
  waiting: number;
  superseded: number;
  failed: number;
}

/** An order to send many deliveries again, and how far it has come. */
export interface ResendView {
  id: string;
  /** `missed`: what an endpoint did not get since an instant. `filter`: rows of the delivery log. */
  kind: 'missed' | 'filter';
  endpointId: string | null;
  /** What was asked for, as it was given. */
  asked: Record<string, unknown>;
  /** `queuing`: more is still to be queued. `sending`: all is queued, some is not through. `stopped`: its endpoint was disabled. */
  status: 'queuing' | 'sending' | 'done' | 'stopped';
  /** What was counted when it was ordered. */
  total: number;
  queued: number;
  delivered: number;
  waiting: number;
  superseded: number;
  failed: number;
  createdAt: string;
  updatedAt: string;
}

export function resendView(row: CountedResendRow): ResendView {
  const { id, kind, asked, total, queued, delivered, waiting, superseded, failed } = row;
  return {
    ...{ id, kind, endpointId: row.endpoint_id, asked, status: statusOf(row) },
    ...{ total, queued, delivered, waiting, superseded, failed },
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

function statusOf({ status, waiting }: CountedResendRow): ResendView['status'] {
  if (status === 'running') return 'queuing';
  if (status === 'stopped') return 'stopped';
  return waiting > 0 ? 'sending' : 'done';
}
