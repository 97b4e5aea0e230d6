import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import { buildConnector } from 'undici';

import { isGlobalUnicast, isLoopback } from './address-rules.js';
import { connectThroughProxy } from './proxy-tunnel.js';
import type { EgressPolicy } from './url-rules.js';

/** Turns a name into every address it has. Tests give one that lies. */
export type Resolve = (name: string) => Promise<LookupAddress[]>;

/** Thrown into a connection that would leave the public internet. Says where to, so it is for our own log only. */
export class AddressRefused extends Error {
  constructor(address: string) {
    super(`${address} is not an address we connect to`);
    this.name = 'AddressRefused';
  }
}

/**
 * Opens connections for undici, to public addresses only. Checked are the literal, every answer of DNS (one bad answer
 * refuses the name), and the address of the connected socket: whatever lies between, no request byte is written before
 * the last check. A name is looked up once per connection and that very answer is connected to. With a proxy, the proxy
 * makes the last of these checks; this machine itself is called without it.
 */
export function guardedConnect(
  policy: EgressPolicy,
  timeoutMs: number,
  { resolve = resolveBySystem, ca }: { resolve?: Resolve; ca?: string } = {},
): buildConnector.connector {
  // What undici is told is listed here and nowhere else: an option such as `socketPath` would pass the guard by.
  const options = { timeout: timeoutMs, allowH2: false, ...(ca === undefined ? {} : { ca }) };
  const toPublic = policy.proxy
    ? proxied(new URL(policy.proxy), options, resolve)
    : connector(isGlobalUnicast, options, resolve);
  const toThisMachine = connector(isLoopback, options, resolve);
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const exempt = policy.allowLoopback && (host === 'localhost' || isLoopback(host));
    const connect = exempt ? toThisMachine : toPublic;
    connect(target, callback);
  };
}

type Allows = (address: string) => boolean;

interface TlsOptions {
  timeout: number;
  allowH2: boolean;
  ca?: string;
}

function connector(allows: Allows, own: TlsOptions, resolve: Resolve): buildConnector.connector {
  const connect = buildConnector({ ...own, lookup: guardedLookup(allows, resolve) });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    // Node looks no literal up, so the guard in the look-up never sees one.
    if (isIP(host) !== 0 && !allows(host)) {
      process.nextTick(() => callback(new AddressRefused(host), null));
      return;
    }
    connect(options, (...[error, socket]) => {
      if (error) return callback(error, null);
      const address = socket.remoteAddress ?? 'an unknown address';
      if (allows(address)) return callback(null, socket);
      socket.destroy();
      callback(new AddressRefused(address), null);
    });
  };
}

/**
 * Connects by an operator's proxy. The literal is checked here, and so is every answer of DNS where this machine has a
 * DNS that knows the name; where it has none, only the proxy can look it up. Which address is connected to is the
 * proxy's word in either case, so it must refuse what is not public by itself (docs/webhooks.md).
 */
function proxied(proxy: URL, own: TlsOptions, resolve: Resolve): buildConnector.connector {
  const secure = buildConnector(own);
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const fail = (error: Error) => process.nextTick(() => callback(error, null));
    const tunnel = () => {
      const target = { host: options.hostname, port: options.port === '' ? '443' : options.port };
      connectThroughProxy(proxy, target, own.timeout).then(
        (httpSocket) => secure({ ...options, httpSocket }, callback),
        fail,
      );
    };
    if (options.protocol !== 'https:') return fail(new Error('only https goes through the proxy'));
    if (isIP(host) !== 0) return isGlobalUnicast(host) ? tunnel() : fail(new AddressRefused(host));
    resolve(host).then((answers) => {
      const refused = answers.find(({ address }) => !isGlobalUnicast(address));
      if (refused) fail(new AddressRefused(refused.address));
      else tunnel();
    }, tunnel);
  };
}

function guardedLookup(allows: Allows, resolve: Resolve): LookupFunction {
  return (name, options, callback) => {
    // Answered by nextTick in every case: a socket destroyed within its own look-up event crashes Node (nodejs/node#50841).
    const fail = (error: Error) => process.nextTick(() => callback(error, '', 0));
    resolve(name).then((answers) => {
      const refused = answers.find(({ address }) => !allows(address));
      const [first] = answers;
      if (refused) return fail(new AddressRefused(refused.address));
      if (!first) return fail(new Error('the name has no address'));
      process.nextTick(() => (options.all ? callback(null, answers) : callback(null, first.address, first.family)));
    }, fail);
  };
}

function resolveBySystem(name: string): Promise<LookupAddress[]> {
  return new Promise((settle, reject) => {
    lookup(name, { all: true }, (error, addresses) => (error ? reject(error) : settle(addresses)));
  });
}
