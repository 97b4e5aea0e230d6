import type { LoggerService } from '@nestjs/common';

import type { Log } from './log.js';

/** Lets Nest's own lines (its start, a provider it misses) through as ours. They quote no request. */
export class NestLog implements LoggerService {
  constructor(private readonly target: Log) {}

  log(message: unknown, context?: unknown): void {
    this.target.debug('nest', { text: textOf(message), name: textOf(context) });
  }

  warn(message: unknown, context?: unknown): void {
    this.target.warn('nest', { text: textOf(message), name: textOf(context) });
  }

  error(message: unknown, stack?: unknown, context?: unknown): void {
    this.target.error('nest', { text: textOf(message), name: textOf(context) }, { name: 'NestError', stack });
  }

  fatal(message: unknown, context?: unknown): void {
    this.target.fatal('nest', { text: textOf(message), name: textOf(context) }, { name: 'NestError' });
  }
}

function textOf(message: unknown): string {
  return typeof message === 'string' ? message : message instanceof Error ? message.name : typeof message;
}
