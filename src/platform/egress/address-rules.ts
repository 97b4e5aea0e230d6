import ipaddr from 'ipaddr.js';

const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * True for an address that belongs to the public internet: neither private, loopback, link-local, shared, reserved or
 * multicast, nor one that carries an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo): those lead to hosts
 * that the check did not see. An address that can not be read is not public.
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isGlobalUnicast(address: string): boolean {
  const parsed = parse(address);
  if (!parsed || parsed.range() !== 'unicast') return false;
  // ipaddr.js calls everything unlisted unicast, `::a.b.c.d` included; only this block is handed out.
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST_V6);
}

/** True for 127.0.0.0/8 and ::1, and for no other spelling of them inside another address. */
export function isLoopback(address: string): boolean {
  return parse(address)?.range() === 'loopback';
}

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  // The forms with fewer than four parts, octal and hexadecimal are a URL parser's business, not a socket's.
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address);
  return ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address) : null;
}
