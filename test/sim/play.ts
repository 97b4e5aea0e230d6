import { parseArgs } from 'node:util';

import { replaceTimers } from './virtual-timers.js';

replaceTimers();
const { World } = await import('./world.js');
const { makeThread } = await import('./thread.js');
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    worlds: { type: 'string', default: '10' },
    debts: { type: 'string', default: '10' },
    stop: { type: 'boolean', default: false },
    story: { type: 'boolean', default: false },
  },
});
const thread = makeThread();
const started = performance.now();
const cpu0 = process.cpuUsage();
let recoveries = 0;
let steps = 0;
const fired = new Map<string, number>();
const states = new Map<string, number>();
const found = new Map<string, number>();
for (let i = Number(values.from); i < Number(values.from) + Number(values.worlds); i++) {
  const world = new World({ seed: Number(values.seed), index: i, debts: Number(values.debts) }, thread);
  const end = await world.play();
  if (process.argv.includes('--story') && end.violations[0]) {
    const d = end.violations[0].debt;
    for (const r of world.tables.recoveries.all())
      if (d === null || world.debtOf(r.id) === d) {
        console.log(
          'RECOVERY',
          r.id,
          r.state,
          r.end_reason,
          'round',
          r.round,
          r.due_kind,
          r.due_at?.toISOString(),
          'debt',
          world.debtOf(r.id),
          r.debt_name,
          r.payment_object_id,
        );
        for (const t of [...world.tables.timeline.all()]
          .filter((t) => t.recovery_id === r.id)
          .sort((a, b) => a.sequence - b.sequence))
          console.log(
            '  ',
            t.sequence,
            (t['at'] as Date).toISOString(),
            t.type,
            t.from_state,
            '>',
            t.to_state,
            t['rule'],
            JSON.stringify(t['inputs']).slice(0, 160),
            t['actor'],
          );
        for (const a of world.tables.attempts.all())
          if (a.recovery_id === r.id)
            console.log(
              '   ATT',
              a.id,
              a.number,
              a['trigger'],
              a.scheduled,
              a['strategy'],
              a.outcome,
              a['loss'],
              a.opened_at.toISOString(),
              a.sent_at.toISOString(),
              a.ended_at?.toISOString(),
            );
      }
    for (const e of world.bank.ledger)
      if (d === null || (e.key !== null && world.debtOf(e.key.slice(0, 26)) === d) || e.key === null)
        console.log(
          '   LEDGER',
          new Date(e.atMs).toISOString(),
          e.outcome,
          e.key,
          e.paymentId,
          e.amountMinor,
          e.method?.token,
          e.signals?.declineCode,
          e.signals?.networkAdviceCode,
        );
    for (const a of world.merchant.answers)
      if (a.debt.index === d) console.log('   ANSWER', a.call, a.key, a.status, a.code, a.transactionId, a.replayed);
    console.log(JSON.stringify(world.debts.get(d ?? -1)?.request));
  }
  recoveries += end.recoveries;
  steps += end.steps;
  for (const [n, c] of end.fired) fired.set(n, (fired.get(n) ?? 0) + c);
  for (const [n, c] of end.states) states.set(n, (states.get(n) ?? 0) + c);
  for (const v of end.violations.slice(0, 1)) {
    const k = v.invariant;
    found.set(k, (found.get(k) ?? 0) + 1);
    if ((found.get(k) ?? 0) <= 3) console.log(i, JSON.stringify(v), new Date(v.atMs).toISOString());
  }
  if (values.stop && end.violations.length) break;
}
const ms = performance.now() - started;
const cpu = process.cpuUsage(cpu0);
console.log({
  cpuUsPer: Math.round((cpu.user + cpu.system) / recoveries),
  recoveries,
  ms: Math.round(ms),
  usPer: Math.round((ms * 1000) / recoveries),
  stepsPer: Math.round(steps / recoveries),
});
console.log([...states].join(' '));
console.log([...fired].sort().join('  '));
console.log('violations', [...found]);
