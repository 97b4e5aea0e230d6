import type { Log, LogFacts } from './platform/logging/log.js';

/** What is on the wire at SIGTERM may take this long to finish (docs/operating.md). */
const STOP_MAX_MS = 30_000;
/** What a shell reports for a process that Ctrl-C ended. */
const EXIT_FORCED = 130;
/** npm forwards a Ctrl-C that its child has had already: what comes so soon after the first signal is the same one. */
const SAME_SIGNAL_MS = 500;

/** As much of `process` as ends it. */
export interface EndableProcess {
  on(event: string, listener: (error: unknown) => void): unknown;
  exit(code: number): unknown;
}

/** How the running process is told that it can not go on. */
export interface Life {
  /** Says why in one fatal line, stops everything, and exits 1. */
  end(event: string, facts: LogFacts, error: unknown): void;
}

/**
 * Ends the process in good order: SIGTERM and SIGINT finish what is on the wire and exit 0, a later one exits at once,
 * and an error that nobody caught, or one that is reported as fatal, stops everything and exits 1.
 */
export function endInGoodOrder(stop: () => Promise<void>, log: Log, process: EndableProcess): Life {
  let exitCode: number | null = null;
  let signalledJustNow = false;

  const end = async (code: number, reason: string): Promise<void> => {
    exitCode = code;
    log.info('service.stopping', { signal: reason });
    // Leases that are not handed back expire within seconds, and another process goes on.
    setTimeout(() => process.exit(1), STOP_MAX_MS).unref();
    try {
      await stop();
      log.info('service.stopped');
    } catch (error) {
      log.error('service.stop_failed', {}, error);
      exitCode = 1;
    }
    process.exit(exitCode);
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (signalledJustNow) return;
      signalledJustNow = true;
      setTimeout(() => (signalledJustNow = false), SAME_SIGNAL_MS).unref();
      if (exitCode !== null) process.exit(EXIT_FORCED);
      else void end(0, signal);
    });
  }
  const breakOff = (event: string, facts: LogFacts, error: unknown): void => {
    log.fatal(event, facts, error);
    if (exitCode === null) void end(1, event);
    else exitCode = 1; // It is stopping already; only its end is no longer a good one.
  };
  for (const kind of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(kind, (error: unknown) => breakOff('service.broken', { kind }, error));
  }
  return { end: breakOff };
}
