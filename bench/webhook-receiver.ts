import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The cheapest possible merchant. Reads every request to its end and answers 200; below `/fail` 500, below `/silent` never.
 * Below `/timed` it also keeps how old each event was at its first try; `GET /ages` answers those since the last time. Prints
 * its port when it is ready.
 */
let agesMs: number[] = [];

function answer(response: ServerResponse, status: number, body = ''): void {
  response.writeHead(status, { 'Content-Length': String(body.length) });
  response.end(body);
}

function takeTimed(request: IncomingMessage, response: ServerResponse): void {
  const nowMs = Date.now();
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.once('end', () => {
    const createdAt = /"createdAt":"([^"]+)"/.exec(Buffer.concat(chunks).toString('latin1'))?.[1] ?? '';
    if (request.headers['x-revtain-delivery-attempt'] === '1') agesMs.push(nowMs - Date.parse(createdAt));
    answer(response, 200);
  });
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const path = request.url ?? '/';
  if (path === '/ages') {
    answer(response, 200, JSON.stringify(agesMs));
    agesMs = [];
    return;
  }
  if (path.startsWith('/timed')) return takeTimed(request, response);
  request.resume();
  if (path.startsWith('/silent')) return;
  request.once('end', () => answer(response, path.startsWith('/fail') ? 500 : 200));
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
process.once('SIGTERM', () => process.exit(0));
