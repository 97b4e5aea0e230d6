import { bootService, type RunningService } from './boot.js';
import { startDemo } from './demo/demo.js';
import { type Config, ConfigError, helpText, readSettings } from './platform/config.js';
import { DataFolderBusy, EmbeddedPostgresFailed } from './platform/embedded-postgres/errors.js';
import { Log } from './platform/logging/log.js';
import { endInGoodOrder } from './process-life.js';
import { StartRefused } from './platform/start-refused.js';

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${helpText()}\n`);
    return;
  }
  const config = readSettings();
  const log = new Log(config.logLevel);
  // A signal during the start waits for its end: whatever was started is then stopped in order.
  const onDatabaseGone = (error: Error) => life.end('database.gone', { text: error.message }, error);
  const starting = bootService(config, { log, onDatabaseGone });
  // The service first: its last webhooks still want an answer from the demo.
  const stops = [async () => (await starting).stop()];
  const stopAll = async (): Promise<void> => {
    for (let stop = stops.shift(); stop; stop = stops.shift()) await stop();
  };
  const life = endInGoodOrder(stopAll, log, process);
  const service = await starting;
  // Elsewhere stdout is read by programs, and every line of it is JSON.
  if (config.demo || process.stdout.isTTY) process.stdout.write(banner(config, service));
  else log.announce('service.started', { role: config.role, url: service.url });
  if (!config.demo) return;
  try {
    const demo = await startDemo({ url: service.url, config });
    stops.push(() => demo.stop());
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function banner(config: Config, { url, adoptedDatabase }: RunningService): string {
  const { database, role } = config;
  const kept = database.kind === 'embedded' ? `embedded PostgreSQL, data in ${database.dataDir}` : 'DATABASE_URL';
  const lines = [
    `Revtain (${role}) serves at ${url}`,
    ...(role === 'worker' ? [] : [`  API contract   ${url}/docs`]),
    `  ready?         ${url}/readyz`,
    `  database       ${kept}${adoptedDatabase ? ' (found running and taken over)' : ''}`,
    '  Ctrl-C stops it.',
  ];
  return `\n${lines.join('\n')}\n\n`;
}

/** Reasons the person who starts it can cure are one line; anything else is a bug and shows its stack. */
function refusalLine(error: unknown): string {
  const curable = [ConfigError, StartRefused, DataFolderBusy, EmbeddedPostgresFailed].some(
    (kind) => error instanceof kind,
  );
  if (curable) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${refusalLine(error)}\n`);
  process.exit(1);
});
