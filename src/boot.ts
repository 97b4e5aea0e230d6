import { type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import 'reflect-metadata';

import { AppModule } from './app.module.js';
import { openDatabase, type OpenDatabase } from './boot-database.js';
import { ApiKeyGuard } from './clients/api-key.guard.js';
import { ClientDirectory } from './clients/client-directory.service.js';
import { ExecuteRateLimit } from './clients/execute-rate-limit.service.js';
import { readFailpoints, refuseBesideLiveClients } from './failpoints.js';
import { TestGatewayAddress } from './gateways/registry.js';
import { Readiness } from './health/readiness.service.js';
import { startOwnTestGateway } from './own-test-gateway.js';
import { BackgroundWorks } from './platform/background-work.js';
import { Clock, SystemClock } from './platform/clock.js';
import { type Config, publicUrlAt } from './platform/config.js';
import { Vault } from './platform/crypto/vault.js';
import { notFound } from './platform/http/domain-error.js';
import { createHttpAdapter, prepareHttpApp } from './platform/http/http-app.js';
import { Ids } from './platform/ids.js';
import { Log } from './platform/logging/log.js';
import { NestLog } from './platform/logging/nest-log.js';
import type { PlatformParts } from './platform/platform.module.js';
import { PublicUrl } from './platform/public-url.js';
import { Random, SystemRandom } from './platform/random.js';
import { roomsOf } from './rooms.js';
import { StartRefused } from './platform/start-refused.js';
import { Teardown } from './teardown.js';

/** What tests put in place of the system's own. */
export interface BootOverrides {
  clock?: Clock;
  random?: Random;
  log?: Log;
  /** Called when the embedded database has ended under the running service, which can not go on then. */
  onDatabaseGone?: (error: Error) => void;
}

export interface RunningService {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  app: NestFastifyApplication;
  /** True when its database was there before this start, left by a process that was killed. */
  adoptedDatabase: boolean;
  /** Stops claiming, finishes what is on the wire, hands leases back, closes everything. Can be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts the whole service: database, migrations, test gateway, application, loops. What was started is stopped again
 * when a later step fails.
 * @throws {StartRefused} with one line for the person who started it.
 */
export async function bootService(config: Config, overrides: BootOverrides = {}): Promise<RunningService> {
  const teardown = new Teardown();
  try {
    return await boot(config, overrides, teardown);
  } catch (error) {
    await teardown.run(true);
    throw error;
  }
}

async function boot(config: Config, overrides: BootOverrides, teardown: Teardown): Promise<RunningService> {
  const { clock = new SystemClock(), random = new SystemRandom(), log = new Log(config.logLevel) } = overrides;
  const { onDatabaseGone = (error: Error) => log.fatal('database.gone', {}, error) } = overrides;
  const failpoints = readFailpoints(config.failpoints, log);
  const opened = await openDatabase(config, { log, onGone: onDatabaseGone, failpoints }, teardown);
  if (failpoints) await refuseBesideLiveClients(opened.database);
  const parts = { ...partsOf(config, opened, { clock, random, log }), ...(failpoints && { failpoints }) };
  const testGateway = config.testGateway ? await startOwnTestGateway(opened.connectionString, parts) : null;
  if (testGateway) teardown.add(() => testGateway.stop());

  const app = await createApp(config, parts, roomsOf(config, testGateway));
  teardown.add(() => stopApp(app));
  app.get(TestGatewayAddress).set(testGateway?.url ?? null);

  const url = await listen(app, config, parts.publicUrl);
  await opened.announce(Number(new URL(url).port));
  if (config.role !== 'api') app.get(BackgroundWorks).startAll();
  return { url, app, adoptedDatabase: opened.adopted, stop: () => teardown.run() };
}

function partsOf(
  config: Config,
  { database, orm }: OpenDatabase,
  { clock, random, log }: { clock: Clock; random: Random; log: Log },
): PlatformParts {
  const vault = new Vault(config.masterKey, config.masterKeysPrevious, random);
  return { clock, random, log, vault, database, orm, ids: new Ids(clock, random), publicUrl: new PublicUrl() };
}

async function createApp(
  config: Config,
  parts: PlatformParts,
  rooms: NonNullable<ModuleMetadata['imports']>,
): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.register(parts, rooms),
    createHttpAdapter(parts),
    { bodyParser: false, logger: new NestLog(parts.log), abortOnError: false },
  );
  const guard = new ApiKeyGuard(app.get(ClientDirectory), app.get(ExecuteRateLimit), config.adminKey);
  prepareHttpApp(app, parts, (fastify) => {
    if (config.role === 'worker') fastify.addHook('onRequest', refuseOtherThanOperation);
    guard.attachTo(fastify);
  });
  await app.init();
  return app;
}

const OPERATION_ROUTES = ['/healthz', '/readyz'];

/** A worker serves nobody but its probes. */
function refuseOtherThanOperation(
  request: { routeOptions: { url?: string | undefined } },
  _reply: unknown,
  done: (error?: Error) => void,
): void {
  const isOperation = OPERATION_ROUTES.includes(request.routeOptions.url ?? '');
  done(isOperation ? undefined : notFound('This process is a worker; the API is served by others.'));
}

async function listen(app: NestFastifyApplication, config: Config, publicUrl: PublicUrl): Promise<string> {
  // Told before the first request can come; only PORT=0 has to wait for the system's choice.
  if (config.port !== 0) publicUrl.set(publicUrlAt(config, config.port));
  try {
    // Fastify's own: Nest's would log the error before we say it in one line.
    await app.getHttpAdapter().getInstance().listen({ port: config.port, host: config.host });
  } catch (error) {
    throw refusalToListen(error, config);
  }
  const address = app.getHttpServer().address() as { port: number };
  publicUrl.set(publicUrlAt(config, address.port));
  return publicUrlAt({ publicUrl: null, host: config.host }, address.port);
}

function refusalToListen(error: unknown, { host, port }: Config): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const where = `PORT ${port} on HOST ${host}`;
  if (code === 'EADDRINUSE')
    return new StartRefused(`${where} is in use: set PORT to a free one, or stop what uses it.`, { cause: error });
  if (code === 'EACCES')
    return new StartRefused(`${where} may not be used by this user: set PORT to 1024 or above.`, { cause: error });
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EINVAL')
    return new StartRefused(`${where}: HOST is no address of this machine.`, { cause: error });
  if (code === 'EADDRNOTAVAIL')
    return new StartRefused(`${where}: this machine has no such address.`, { cause: error });
  return error;
}

/** Loops first: what they have on the wire still needs the gateway's sockets, which end with the application. */
async function stopApp(app: NestFastifyApplication): Promise<void> {
  app.get(Readiness).beginStop();
  await app.get(BackgroundWorks).stopAll();
  await app.close();
}
