import { describe, expect, it } from '@jest/globals';

import { fc } from '../../../test/support/properties.js';
import { isGlobalUnicast, isLoopback } from './address-rules.js';
import { checkUrl, type EgressPolicy } from './url-rules.js';

const strict: EgressPolicy = { ports: [443, 8443], allowLoopback: false };
const local: EgressPolicy = { ...strict, allowLoopback: true };

describe('isGlobalUnicast', () => {
  it.each(['8.8.8.8', '1.1.1.1', '2001:4860:4860::8888', '2606:4700::1111', '9.9.9.9'])('takes %s', (address) => {
    expect(isGlobalUnicast(address)).toBe(true);
  });

  it.each([
    // The tables of Svix and Smokescreen, and every embedding of IPv4 in IPv6.
    ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.0.1', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '192.31.196.1', '192.52.193.1'],
    ...[
      '::',
      '::1',
      '::10.0.0.1',
      '::a00:1',
      '::ffff:10.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:0:10.0.0.1',
      '64:ff9b::a00:1',
    ],
    ...['64:ff9b:1::1', '100::1', '100:0:0:1::1', '2001::1', '2001:2::1', '2001:10::1', '2001:20::1', '2001:db8::1'],
    ...[
      '2002:a00:1::',
      '3fff::1',
      '4000::1',
      '5f00::1',
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
    ],
    ...['ff02::1', '1200::1', 'e000::1'],
    ...['', 'example.com', '1.2.3', '2130706433', '0x7f.1', '0177.0.0.1', '8.8.8.8.8', '8.8.8.8 ', '[::1]', 'null'],
  ])('refuses %s', (address) => {
    expect(isGlobalUnicast(address)).toBe(false);
  });

  it('never calls an address both public and loopback', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (text) => !(isGlobalUnicast(text) && isLoopback(text))),
    );
  });
});

describe('checkUrl', () => {
  it.each([
    'https://example.com/hook',
    'https://example.com:8443/hook?x=1',
    'https://8.8.8.8/',
    'https://[2001:4860:4860::8888]/',
  ])('takes %s', (url) => {
    expect(checkUrl(url, strict).kind).toBe('allowed');
  });

  it.each([
    ...[
      '',
      'example.com/hook',
      'ftp://example.com/',
      'javascript:alert(1)',
      'file:///etc/passwd',
      'data:,x',
      'https://',
    ],
    ...['http://example.com/', 'https://user:pass@example.com/', 'https://user@example.com/', 'https://example.com/#x'],
    ...[
      'https://example.com:80/',
      'https://example.com:22/',
      'https://example.com:0/',
      `https://example.com/${'a'.repeat(2040)}`,
    ],
    ...[
      'https://127.0.0.1/',
      'https://127.1/',
      'https://0x7f.1/',
      'https://2130706433/',
      'https://0177.0.0.1/',
      'https://①②⑦.⓪.⓪.①/',
    ],
    ...[
      'https://[::1]/',
      'https://[::ffff:127.0.0.1]/',
      'https://[::ffff:7f00:1]/',
      'https://[::127.0.0.1]/',
      'https://[64:ff9b::7f00:1]/',
    ],
    ...[
      'https://169.254.169.254/latest/meta-data',
      'https://10.0.0.1/',
      'https://localhost/',
      'https://localhost./',
      'https://a.localhost/',
    ],
    ...[
      'https://exam\nple.com/',
      ' https://example.com/',
      'https://example.com/\u0000',
      'https://0.0.0.0/',
      'https://[fe80::1]/',
    ],
  ])('refuses %j', (url) => {
    expect(checkUrl(url, strict).kind).toBe('refused');
  });

  it.each([
    'http://127.0.0.1:4000/hook',
    'http://localhost:3001/',
    'https://localhost/',
    'http://127.9.9.9/',
    'http://[::1]:9/',
  ])('takes %s only where loopback is allowed', (url) => {
    expect(checkUrl(url, local)).toMatchObject({ kind: 'allowed', loopback: true });
    expect(checkUrl(url, strict).kind).toBe('refused');
  });

  it.each([
    ...[
      'http://localhost./',
      'http://a.localhost/',
      'http://[::ffff:127.0.0.1]/',
      'http://[::127.0.0.1]/',
      'http://0.0.0.0:80/',
    ],
    ...[
      'http://user:pw@127.0.0.1/',
      'http://10.0.0.1/',
      'http://localhost.example.com/',
      'http://127.0.0.1#x',
      'https://[64:ff9b::7f00:1]/',
    ],
    ...['https://0x7f.1/', 'http://2130706433/', 'http://0177.0.0.1/', 'http://127.1/', 'http://①②⑦.⓪.⓪.①/'],
  ])('refuses %s even where loopback is allowed', (url) => {
    expect(checkUrl(url, local).kind).toBe('refused');
  });

  it('never tells the URL back, and always says what is accepted', () => {
    const verdict = checkUrl('https://user:hunter2@example.com/', strict);
    expect(JSON.stringify(verdict)).not.toContain('hunter2');
    expect(verdict).toMatchObject({ accepted: expect.stringContaining('443 or 8443') });
  });

  it('answers any text at all without throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withFragments: true }), fc.string()), (text) => {
        expect(['allowed', 'refused']).toContain(checkUrl(text, local).kind);
      }),
    );
  });
});
