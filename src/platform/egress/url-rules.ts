import { isIP } from 'node:net';

import { isGlobalUnicast, isLoopback } from './address-rules.js';

/** What the operator allows (docs/operating.md). */
export interface EgressPolicy {
  readonly ports: readonly number[];
  /** http and https to a literal loopback address or `localhost`, on any port. */
  readonly allowLoopback: boolean;
  /** An HTTP proxy that connects for us (CONNECT), as `http://user:password@host:port`; none unless given. */
  readonly proxy?: string | null;
}

export type UrlVerdict =
  | { kind: 'allowed'; url: URL; loopback: boolean }
  /** `accepted` says in words what would have been taken; neither text holds the URL itself. */
  | { kind: 'refused'; message: string; accepted: string };

export const URL_LENGTH_MAX = 2_048;

/**
 * Reads an address that a user wants called. A name passes here whatever it resolves to: that is checked at each
 * connection, for DNS can change its mind between two.
 */
export function checkUrl(text: string, policy: EgressPolicy): UrlVerdict {
  const accepted = acceptedWords(policy);
  const refuse = (message: string): UrlVerdict => ({ kind: 'refused', message, accepted });
  if (text.length > URL_LENGTH_MAX) return refuse('is too long');
  // WHATWG parsing drops tabs and newlines silently; nobody means them.
  if (/[\s\p{Cc}]/u.test(text)) return refuse('holds a space or a control character');
  // Browsers read a backslash as a slash, others do not: the two would call different hosts.
  if (text.includes('\\')) return refuse('holds a backslash');
  const url = parseUrl(text);
  if (!url) return refuse('is no URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('is neither https nor http');
  if (authorityOf(text).includes('@')) return refuse('holds credentials');
  if (url.hash !== '') return refuse('holds a fragment');
  const host = hostOf(url);
  // 0127.0.0.1 is 87.0.0.1 to this parser and 127.0.0.1 to another.
  if (isIP(host) === 4 && !authorityOf(text).startsWith(host)) return refuse('writes an address in an odd way');
  if (policy.allowLoopback && isLoopbackHost(url)) return { kind: 'allowed', url, loopback: true };
  if (url.protocol !== 'https:') return refuse('is not https');
  if (!policy.ports.includes(portOf(url))) return refuse('names a port that is not allowed');
  if (host === '') return refuse('names no host');
  if (isIP(host) !== 0 && !isGlobalUnicast(host)) return refuse('names an address that is not on the public internet');
  if (isLocalhost(host)) return refuse('names this machine');
  return { kind: 'allowed', url, loopback: false };
}

/** The host without the brackets of an IPv6 literal. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

/** True for `localhost` and for the literal loopback addresses: the only hosts of the loopback exemption. */
export function isLoopbackHost(url: URL): boolean {
  const host = hostOf(url);
  return host === 'localhost' || isLoopback(host);
}

function isLocalhost(host: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(host);
}

// As it was written: a parser drops empty credentials and rewrites addresses.
function authorityOf(text: string): string {
  return /^[a-z]+:\/*([^/?#]*)/i.exec(text)?.[1] ?? '';
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function acceptedWords(policy: EgressPolicy): string {
  const ports = policy.ports.join(' or ');
  const rule = `an https URL of at most ${URL_LENGTH_MAX} characters on port ${ports}, without credentials, whose host is on the public internet`;
  return policy.allowLoopback ? `${rule}; or http or https to localhost or a loopback address, on any port` : rule;
}
