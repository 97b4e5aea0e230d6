import type { Placement } from './facts.js';

/** How a slot became the instant of a charge, without its jitter; steps that changed nothing are left out. */
export function placementWords(placement: Placement): string {
  const { slotMs, earliestMs, localMs, paydayMs, openMs, wantedMs, plainMs, lastMs } = placement;
  // What payday and jitter would carry past the deadline's last hour is taken without both.
  const fits = wantedMs <= lastMs;
  const steps: [string, number, number][] = [
    ['gap or wait', earliestMs, slotMs],
    ['local hour', localMs, earliestMs],
    ...(fits ? ([['payday', paydayMs, localMs]] as [string, number, number][]) : []),
    ['blackout', fits ? openMs : plainMs, fits ? paydayMs : localMs],
  ];
  const moved = steps.filter(([, ms, before]) => ms !== before).map(([name, ms]) => `${name} ${iso(ms)}`);
  const without = fits || paydayMs === localMs ? [] : ['no payday: the deadline comes first'];
  return [`slot ${iso(slotMs)}`, ...moved, ...without].join(', ');
}

function iso(instantMs: number): string {
  return new Date(instantMs).toISOString();
}
