import type { World } from './world.js';

const INPUTS_SHOWN = 120;

/** What happened to a debt, or to all where it is nobody's, in the order of time: the rows, and the gateway's ledger beside them. */
export function storyOf(world: World, debt: number | null): string[] {
  const { tables, bank, merchant } = world;
  const lines: [atMs: number, text: string][] = [];
  const isTold = (recoveryId: string) => debt === null || world.debtOf(recoveryId) === debt;
  for (const step of tables.timeline.all()) {
    if (!isTold(step.recovery_id)) continue;
    const inputs = JSON.stringify(step['inputs']).slice(0, INPUTS_SHOWN);
    const moved = `${step.from_state ?? 'new'} > ${step.to_state}`;
    const text = `${step.recovery_id} ${step.sequence} ${step.type} ${moved} ${String(step['rule'])} ${inputs}`;
    lines.push([(step['at'] as Date).getTime(), text]);
  }
  for (const { atMs, outcome, key, paymentId, amountMinor, method, signals } of bank.ledger) {
    if (key !== null && !isTold(key.slice(0, 26))) continue;
    const who = key ?? 'the customer';
    lines.push([
      atMs,
      `LEDGER ${outcome} ${signals?.declineCode ?? ''} ${amountMinor} ${paymentId} ${method?.token ?? ''} ${who}`,
    ]);
  }
  const told = lines
    .sort(([one], [other]) => one - other)
    .map(([atMs, text]) => `${new Date(atMs).toISOString()} ${text}`);
  const answers = merchant.answers.filter((answered) => debt === null || answered.debt.index === debt);
  const calls = answers.map(({ call, key, status, code }) => `ANSWERED ${call} ${key ?? ''} ${status} ${code ?? ''}`);
  const request = debt === null ? [] : [`REQUEST ${JSON.stringify(world.debts.get(debt)?.request)}`];
  return [...request, ...told, ...calls];
}
