import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import type { TestDatabase } from './database.js';

/** A way to a database that a test cuts and mends, as a network or a restart would. */
export interface SeverableDatabase extends TestDatabase {
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Puts a proxy before the database. Dropping it drops both. */
export async function severable(database: TestDatabase): Promise<SeverableDatabase> {
  const target = new URL(database.url);
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from) && to.destroy());
      from.pipe(to);
    }
  });
  const port = await listening(server, 0);
  const url = new URL(database.url);
  url.port = String(port);

  const cut = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: url.href,
    cut,
    mend: async () => void (await listening(server, port)),
    drop: async () => {
      if (server.listening) await cut();
      await database.drop();
    },
  };
}

async function listening(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}
