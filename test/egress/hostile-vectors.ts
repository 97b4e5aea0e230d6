/** Blocks that are not global unicast, each with addresses at its first, a middle and its last place. */
const IPV4_BLOCKS: Readonly<Record<string, readonly string[]>> = {
  'this network': ['0.0.0.0', '0.0.0.1', '0.255.255.255'],
  'private 10/8': ['10.0.0.0', '10.1.2.3', '10.255.255.255'],
  'shared (CGNAT)': ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  loopback: ['127.0.0.0', '127.0.0.1', '127.0.0.53', '127.255.255.255'],
  'link-local and cloud metadata': ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
  'private 172.16/12': ['172.16.0.0', '172.17.0.1', '172.31.255.255'],
  'IETF protocols': ['192.0.0.0', '192.0.0.8', '192.0.0.170', '192.0.0.192', '192.0.0.255'],
  'documentation 1': ['192.0.2.0', '192.0.2.55', '192.0.2.255'],
  AS112: ['192.31.196.0', '192.31.196.255', '192.175.48.0', '192.175.48.255'],
  AMT: ['192.52.193.0', '192.52.193.255'],
  '6to4 relay': ['192.88.99.0', '192.88.99.1', '192.88.99.255'],
  'private 192.168/16': ['192.168.0.0', '192.168.1.1', '192.168.255.255'],
  benchmarking: ['198.18.0.0', '198.19.128.1', '198.19.255.255'],
  'documentation 2 and 3': ['198.51.100.0', '198.51.100.255', '203.0.113.0', '203.0.113.255'],
  multicast: ['224.0.0.0', '224.0.0.251', '233.252.0.1', '239.255.255.255'],
  reserved: ['240.0.0.0', '247.1.2.3', '255.255.255.254'],
  broadcast: ['255.255.255.255'],
};

const IPV6_BLOCKS: Readonly<Record<string, readonly string[]>> = {
  unspecified: ['::', '0:0:0:0:0:0:0:0'],
  loopback: ['::1', '0:0:0:0:0:0:0:1', '0000:0000:0000:0000:0000:0000:0000:0001'],
  'reserved below 100::': ['::2', '::ffff', '::1:0', '0:1::', '0:0:1::5', '1::1', 'ff::1'],
  'discard only': ['100::', '100::dead:beef', '100::ffff:ffff:ffff:ffff', '100:0:0:1::1'],
  'unassigned low': ['200::1', '400::1', '800::1', '1000::1', '1fff:ffff::1'],
  Teredo: ['2001::', '2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
  'IETF protocols': ['2001:1::1', '2001:1::2', '2001:2::', '2001:2:0:ffff::1', '2001:3::1', '2001:4:112::1'],
  ORCHID: ['2001:10::1', '2001:1f:ffff::1', '2001:20::1', '2001:2f:ffff::1'],
  documentation: ['2001:db8::', '2001:db8::1', '2001:db8:ffff:ffff::1', '3fff::1', '3fff:0fff:ffff::1'],
  'unassigned high': [
    '4000::1',
    '6000::1',
    '8000::1',
    'a000::1',
    'c000::1',
    'e000::1',
    'f000::1',
    'f800::1',
    'fe00::1',
  ],
  'segment routing': ['5f00::', '5f00::1', '5f00:ffff::1'],
  'unique local': ['fc00::', 'fc00::1', 'fd00::1', 'fd00:ec2::254', 'fd12:3456:789a::1', 'fdff:ffff::1'],
  'link-local': ['fe80::', 'fe80::1', 'fe80::5054:ff:fe12:3456', 'fe80::1%eth0', 'febf::1'],
  'site-local': ['fec0::', 'fec0::1', 'feff::1'],
  multicast: ['ff00::1', 'ff01::1', 'ff02::1', 'ff02::fb', 'ff05::2', 'ff0e::1', 'ffff::1'],
};

/** What hides inside IPv6: forbidden ones in every form, and a public one, since whoever translates it goes elsewhere. */
const CARRIED = [
  ...['127.0.0.1', '0.0.0.0', '10.0.0.1', '100.64.0.1', '169.254.169.254', '172.16.0.1', '192.168.0.1', '198.18.0.1'],
  ...['224.0.0.1', '255.255.255.255', '192.0.2.1', '8.8.8.8'],
];

/** Every way to write an IPv4 address within an IPv6 one. */
const CARRIERS: Readonly<Record<string, (high: string, low: string, dotted: string) => string>> = {
  'mapped, dotted': (_high, _low, dotted) => `::ffff:${dotted}`,
  'mapped, hexadecimal': (high, low) => `::ffff:${high}:${low}`,
  'mapped, written out': (high, low) => `0:0:0:0:0:ffff:${high}:${low}`,
  'mapped, upper case': (high, low) => `::FFFF:${high.toUpperCase()}:${low.toUpperCase()}`,
  'compatible, dotted': (_high, _low, dotted) => `::${dotted}`,
  'compatible, hexadecimal': (high, low) => `::${high}:${low}`,
  'translated (SIIT), dotted': (_high, _low, dotted) => `::ffff:0:${dotted}`,
  'translated (SIIT), hexadecimal': (high, low) => `::ffff:0:${high}:${low}`,
  'NAT64, dotted': (_high, _low, dotted) => `64:ff9b::${dotted}`,
  'NAT64, hexadecimal': (high, low) => `64:ff9b::${high}:${low}`,
  'NAT64, local prefix': (high, low) => `64:ff9b:1::${high}:${low}`,
  '6to4': (high, low) => `2002:${high}:${low}::`,
  '6to4 with a host': (high, low) => `2002:${high}:${low}::1`,
  'Teredo server': (high, low) => `2001:0:${high}:${low}::1`,
  'Teredo client': (high, low) => `2001:0:4136:e378:8000:63bf:${inverted(high)}:${inverted(low)}`,
  'ISATAP on link-local': (high, low) => `fe80::5efe:${high}:${low}`,
};

const hex = (one: number, two: number) => ((one << 8) | two).toString(16);
const inverted = (word: string) => (0xffff ^ parseInt(word, 16)).toString(16);

function carried(): string[] {
  return CARRIED.flatMap((dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
    return Object.values(CARRIERS).map((carry) => carry(hex(a, b), hex(c, d), dotted));
  });
}

/** Addresses that nothing may ever be connected to. */
export const HOSTILE_ADDRESSES: readonly string[] = [
  ...new Set([...Object.values(IPV4_BLOCKS).flat(), ...Object.values(IPV6_BLOCKS).flat(), ...carried()]),
];

/** Spellings of 127.0.0.1, 169.254.169.254 and 10.0.0.1 that URL parsers and resolvers take for them. */
const ODD_LITERALS = [
  ...[
    '127.1',
    '127.0.1',
    '0x7f.1',
    '0x7f.0.0.1',
    '0x7f000001',
    '0X7F000001',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
  ],
  ...['0177.1', '127.0.0.1.', '127.000.000.001', '0127.0.0.1', '00000177.0.0.1', '127.0x0.0x0.0x1', '0x7f.0x0.0x0.0x1'],
  ...[
    '①②⑦.⓪.⓪.①',
    '１２７.０.０.１',
    '127。0。0。1',
    '127．0．0．1',
    '127｡0｡0｡1',
    '%31%32%37.0.0.1',
    '127.0.0.%31',
    '0',
  ],
  ...['0x0', '00', '0.0', '2852039166', '0xa9fea9fe', '0xA9.0xFE.0xA9.0xFE', '0251.0376.0251.0376', '169.254.43518'],
  ...[
    '169.16689662',
    '0251.0xfe.43518',
    '167772161',
    '0xa.1',
    '012.1',
    '10.1',
    '4294967295',
    '0xffffffff',
    '255.65535.255',
  ],
];

const NAMES_OF_THIS_MACHINE = [
  'localhost',
  'LOCALHOST',
  'LocalHost',
  'localhost.',
  'a.localhost',
  'a.b.localhost.',
  'ⓛocalhost',
];

/** URLs that may never be called, whatever the address behind their name. */
export const HOSTILE_URLS: readonly string[] = [
  ...HOSTILE_ADDRESSES.map((address) => `https://${address.includes(':') ? `[${address}]` : address}/hook`),
  ...ODD_LITERALS.map((host) => `https://${host}/hook`),
  ...NAMES_OF_THIS_MACHINE.map((host) => `https://${host}/hook`),
  // Credentials, and what looks like a host in front of them.
  ...['user@', 'user:pw@', ':pw@', 'example.com@', 'example.com:443@', '%00@', '127.0.0.1@', '@'].map(
    (before) => `https://${before}example.com/hook`,
  ),
  ...['https://example.com@127.0.0.1/', 'https://example.com#@127.0.0.1/', 'https://example.com\\@127.0.0.1/'],
  ...['https://127.0.0.1\\@example.com/', 'https://example.com:443#frag', 'https:/\\127.0.0.1/', 'https:127.0.0.1'],
  // Ports that belong to other protocols.
  ...[0, 1, 21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 444, 445, 465, 587, 631, 993, 1433, 1521, 2049].map(
    port,
  ),
  ...[2375, 2379, 3000, 3306, 4443, 5000, 5432, 5984, 6379, 6443, 8000, 8080, 8442, 8444, 8500, 9000, 9090, 9200].map(
    port,
  ),
  ...[9300, 10250, 11211, 27017, 44300, 50070, 65535].map(port),
  ...[
    'https://example.com:65536/',
    'https://example.com:-1/',
    'https://example.com:443.1/',
    'https://example.com:0443x/',
  ],
  // Other protocols, and no protocol.
  ...[
    'http',
    'ftp',
    'ws',
    'wss',
    'gopher',
    'dict',
    'ldap',
    'tftp',
    'sftp',
    'smb',
    'jar',
    'netdoc',
    'blob',
    'view-source',
  ].map((scheme) => `${scheme}://example.com/`),
  ...['file:///etc/passwd', 'file://localhost/etc/passwd', 'data:text/plain,x', 'javascript:alert(1)', 'about:blank'],
  ...[
    'mailto:a@example.com',
    'unix:///var/run/docker.sock',
    'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
    '//example.com/',
  ],
  ...[
    '',
    'example.com',
    '/hook',
    'https://',
    'https:///',
    'https://?',
    'https://#',
    'https:// /',
    'https://[::1',
    'https://[/',
  ],
  ...[
    'https://[::1]]/',
    'https://[1.2.3.4]/',
    'https://[::ffff:1.2.3.4.5]/',
    'https://[fe80::1%25eth0]/',
    'https://%/',
  ],
  // White space and control characters, some of which parsers drop.
  ...['\t', '\n', '\r', ' ', '\u0000', '\u0001', '\u007f', '\u0085', '\u00a0', '\u2028', '\u3000', '\ufeff'].flatMap(
    (odd) => [`https://exam${odd}ple.com/`, `https://example.com/${odd}hook`, `${odd}https://example.com/`],
  ),
  `https://example.com/${'a'.repeat(2_040)}`,
  `https://${'a.'.repeat(1_100)}example.com/`,
];

function port(number: number): string {
  return `https://example.com:${number}/hook`;
}
