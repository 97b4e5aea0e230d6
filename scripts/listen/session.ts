import { createInterface } from 'node:readline';

import { verify } from '../../packages/receiver/src/verify.js';
import { SystemRandom } from '../../src/platform/random.js';
import type { Options } from './options.js';
import { newPrinter, type Printer } from './printer.js';
import { Refused } from './refused.js';
import { Relay } from './relay.js';
import { askAgain } from './replay.js';
import { textOf, type RevtainApi } from './revtain-api.js';

export const DESCRIPTION = 'npm run listen';

/** Listens until it is stopped. @throws {Refused} in one line, with nothing left behind. */
export async function listen(api: RevtainApi, options: Options & { forwardTo: string }): Promise<void> {
  const printer = newPrinter(options.printJson);
  const stopped = stopSignal();
  const opened = deferred<string>();
  const relay = await Relay.listen({
    forwardTo: options.forwardTo,
    path: `/${new SystemRandom().bytes(16).toString('hex')}`,
    // The first delivery can be here before the answer that tells the secret.
    onArrived: async (arrived) => {
      const secret = await opened.promise;
      printer.delivery(arrived, verify(arrived.body, arrived.headers, secret, { scheme: 'standard' }));
    },
    onForwarded: (forwarded) => {
      printer.forwarded(forwarded);
    },
  });
  try {
    const endpoint = await api.call('POST', '/api/webhook-endpoints', {
      url: relay.url,
      description: DESCRIPTION,
      ...(options.events && { events: options.events }),
    });
    const secret = textOf(endpoint, 'secret');
    opened.resolve(secret);
    await serve(api, textOf(endpoint, 'id'), { options, printer, secret, stopped });
  } finally {
    await relay.stop();
  }
}

interface Session {
  options: Options & { forwardTo: string };
  printer: Printer;
  secret: string;
  stopped: Promise<void>;
}

async function serve(
  api: RevtainApi,
  endpointId: string,
  { options, printer, secret, stopped }: Session,
): Promise<void> {
  printer.note(`Listening as ${endpointId}; deliveries go on to ${options.forwardTo}`);
  printer.note(`Signing secret of this session: ${secret}`);
  printer.note('Ctrl-C stops and removes the endpoint; r and Enter sends the newest delivery again.\n');
  const commands = createInterface({ input: process.stdin });
  commands.on('line', (line) => void obey(api, endpointId, line, printer));
  try {
    if (options.replay !== null) await replay(api, options.replay, undefined, printer);
    await stopped;
  } finally {
    commands.close();
    await remove(api, endpointId);
    printer.note(`Stopped; ${endpointId} is removed.`);
  }
}

async function obey(api: RevtainApi, endpointId: string, line: string, printer: Printer): Promise<void> {
  const [command, which = 'last'] = line.trim().split(/\s+/);
  if (command === 'r') await replay(api, which, endpointId, printer);
  else if (command !== '') printer.note('r and Enter sends the newest delivery again, r dlv_… that one; Ctrl-C stops');
}

/** A replay that can not be had is told; the session goes on. */
async function replay(api: RevtainApi, which: string, endpointId: string | undefined, printer: Printer): Promise<void> {
  try {
    const asked = await askAgain(api, which, endpointId);
    printer.note(
      `Asked for ${textOf(asked, 'id')} ${textOf(asked, 'event')} again, at its endpoint ${textOf(asked, 'endpointId')}\n`,
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    printer.note(`not replayed: ${error.message}`);
  }
}

async function remove(api: RevtainApi, endpointId: string): Promise<void> {
  try {
    await api.call('DELETE', `/api/webhook-endpoints/${endpointId}`);
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause;
    if (cause.status === 404) return; // Somebody else has removed it.
    throw new Refused(
      `${endpointId} is still there: DELETE /api/webhook-endpoints/${endpointId} (${cause.message})`,
      null,
      {
        cause,
      },
    );
  }
}

/** Ctrl-C, or a service manager's wish. A second one ends the process on the spot, as ever. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

function deferred<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
