import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';

/** What the proxy is to connect to; an IPv6 literal comes in its brackets. */
export interface TunnelTarget {
  host: string;
  port: string;
}

/**
 * Has an HTTP proxy connect to a host and answers the socket, over which TLS with that host can begin.
 * @throws when the proxy can not be reached in time, or refuses.
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-connect
 */
export function connectThroughProxy(proxy: URL, { host, port }: TunnelTarget, timeoutMs: number): Promise<Socket> {
  const authority = `${host}:${port}`;
  const request = (proxy.protocol === 'https:' ? secureRequest : plainRequest)({
    method: 'CONNECT',
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port === '' ? defaultPort(proxy) : Number(proxy.port),
    path: authority,
    headers: { Host: authority, ...authorization(proxy) },
    agent: false,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      clearTimeout(timer);
      request.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('the proxy did not answer in time')), timeoutMs);
    // Stays for good: a socket that breaks after it was handed out tells whoever holds it, and must not end the process.
    request.on('error', fail);
    request.once('response', ({ statusCode }) => fail(new Error(`the proxy answered ${statusCode ?? 'nothing'}`)));
    request.once('connect', ({ statusCode = 0 }, socket, head) => {
      if (statusCode < 200 || statusCode > 299) return fail(new Error(`the proxy answered ${statusCode}`));
      // A server waits for the client's first word in TLS; whoever speaks earlier is not that server.
      if (head.length > 0) return fail(new Error('the proxy sent bytes of its own'));
      clearTimeout(timer);
      resolve(socket);
    });
    request.end();
  });
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function defaultPort({ protocol }: URL): number {
  return protocol === 'https:' ? 443 : 80;
}
