import type { Row } from './rows.js';
import type { Tables } from './tables.js';

type Values = readonly unknown[];

export function findClient(tables: Tables, [id]: Values): Row[] {
  const client = tables.clients.get(id as string);
  return client ? [client] : [];
}

/** `ChargingPause.heldUntil`: this charge is the probe, if its time has come. */
export function takeProbe(tables: Tables, [id, nextAt, now]: Values): Row[] {
  const client = tables.clients.get(id as string);
  if (!client || client.chargingPausedSince === null || client.chargingProbeAt === null) return [];
  if (client.chargingProbeAt > (now as Date)) return [];
  tables.clients.replace({ ...client, chargingProbeAt: nextAt as Date });
  return [{ charging_probe_at: nextAt }];
}

export function probeAt(tables: Tables, [id]: Values): Row[] {
  const client = tables.clients.get(id as string);
  return client ? [{ charging_probe_at: client.chargingProbeAt }] : [];
}

export function beginPause(tables: Tables, [id, now, nextAt]: Values): Row[] {
  const client = tables.clients.get(id as string);
  if (!client) return [];
  const chargingPausedSince = client.chargingPausedSince ?? (now as Date);
  tables.clients.replace({ ...client, chargingPausedSince, chargingProbeAt: nextAt as Date });
  return [];
}

/** Ends the pause, once, and gives every open recovery the time back. */
export function endPause(tables: Tables, [id, now, resolvedAt]: Values): Row[] {
  const client = tables.clients.get(id as string);
  if (!client || client.chargingPausedSince === null) return [];
  const lostMs = (now as Date).getTime() - client.chargingPausedSince.getTime();
  tables.clients.replace({ ...client, chargingPausedSince: null, chargingProbeAt: null });
  for (const alert of tables.alerts.where((row) => row.client_id === id && row.resolved_at === null)) {
    if (alert.dedupe_key === 'credentials_refused')
      tables.alerts.replace({ ...alert, resolved_at: resolvedAt as Date });
  }
  const open = ['queued', 'in_progress', 'reconciling', 'action_required'];
  for (const row of tables.recoveries.where((each) => each.client_id === id && open.includes(each.state))) {
    tables.recoveries.replace({ ...row, deadline_at: new Date(row.deadline_at.getTime() + lostMs) });
  }
  return [];
}
