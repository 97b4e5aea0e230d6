import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import { buildConnector } from 'undici';

import { isGlobalUnicast, isLoopback } from './address-rules.js';
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
 * the last check. A name is looked up once per connection and that very answer is connected to.
 */
export function guardedConnect(
  policy: EgressPolicy,
  timeoutMs: number,
  resolve: Resolve = resolveBySystem,
): buildConnector.connector {
  const toPublic = connector(isGlobalUnicast, timeoutMs, resolve);
  const toThisMachine = connector(isLoopback, timeoutMs, resolve);
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const exempt = policy.allowLoopback && (host === 'localhost' || isLoopback(host));
    const connect = exempt ? toThisMachine : toPublic;
    connect(options, callback);
  };
}

type Allows = (address: string) => boolean;

function connector(allows: Allows, timeoutMs: number, resolve: Resolve): buildConnector.connector {
  const connect = buildConnector({ timeout: timeoutMs, allowH2: false, lookup: guardedLookup(allows, resolve) });
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
