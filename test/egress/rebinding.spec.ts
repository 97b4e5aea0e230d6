import { createSocket, type Socket as DnsSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { SystemClock } from '../../src/platform/clock.js';
import { COULD_NOT_CONNECT, EgressClient } from '../../src/platform/egress/egress-client.js';
import type { Resolve } from '../../src/platform/egress/guarded-connect.js';

/** What the server answers to one question; `lost` answers nothing at all. */
type Answer = { a?: string[]; aaaa?: string[]; code?: number } | 'lost';

/** A name server that gives each name's answers one after the other, the last one for ever, with a lifetime of 0. */
class LyingDns {
  readonly asked: string[] = [];
  private readonly scripts = new Map<string, Answer[]>();

  private constructor(private readonly socket: DnsSocket) {}

  static async start(): Promise<LyingDns> {
    const socket = createSocket('udp4');
    const server = new LyingDns(socket);
    socket.on('message', (question, { port, address }) => {
      const reply = server.reply(question);
      if (reply) socket.send(reply, port, address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  script(name: string, ...answers: Answer[]): void {
    this.scripts.set(name, answers);
  }

  /** Looks both families up, as the system does, with nothing of the system's caches between. */
  resolver(): Resolve {
    const resolver = new Resolver({ timeout: 300, tries: 1 });
    resolver.setServers([`127.0.0.1:${this.socket.address().port}`]);
    return async (name) => {
      const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
      const addresses = [
        ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
        ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
      ];
      if (addresses.length === 0 && four.status === 'rejected') throw four.reason;
      return addresses;
    };
  }

  stop(): void {
    this.socket.close();
  }

  private reply(question: Buffer): Buffer | null {
    const { name, type, end } = readQuestion(question);
    const script = this.scripts.get(name) ?? [{ code: 3 }];
    // Both families of one look-up get the same answer: the script moves on with the question for IPv6.
    const answer = script[0] ?? { code: 3 };
    if (type === 28) {
      this.asked.push(name);
      if (script.length > 1) script.shift();
    }
    if (answer === 'lost') return null;
    const records = type === 1 ? (answer.a ?? []).map(bytesOf4) : (answer.aaaa ?? []).map(bytesOf6);
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180 | (answer.code ?? 0), 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, question.subarray(12, end), ...records.map((bytes) => record(type, bytes))]);
  }
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function record(type: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // The name of the question.
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(bytes.length, 10);
  return Buffer.concat([head, bytes]);
}

const bytesOf4 = (address: string) => Buffer.from(address.split('.').map(Number));

function bytesOf6(address: string): Buffer {
  const [left = '', right = ''] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => parseInt(word, 16)));
  const zeros = Array<number>(8 - words(left).length - words(right).length).fill(0);
  const bytes = Buffer.alloc(16);
  [...words(left), ...zeros, ...words(right)].forEach((word, index) => bytes.writeUInt16BE(word, index * 2));
  return bytes;
}

describe('a name server that rebinds', () => {
  let dns: LyingDns;
  let client: EgressClient;
  let port: number;
  /** Which canaries were connected to. */
  const accepted: string[] = [];
  const canaries: Server[] = [];

  beforeAll(async () => {
    dns = await LyingDns.start();
    // The canaries share a port, so that one allowed port leads to each of them.
    const first = await canary('127.0.0.1', 0);
    port = (first.address() as AddressInfo).port;
    await canary('::1', port);
    await canary('127.0.0.2', port);
    client = new EgressClient({ ports: [port], allowLoopback: true }, new SystemClock(), { resolve: dns.resolver() });
  });
  afterAll(async () => {
    await client.close();
    dns.stop();
    for (const server of canaries) server.close();
  });

  async function canary(host: string, at: number): Promise<Server> {
    const server = createServer((socket) => {
      accepted.push(host);
      socket.destroy();
    });
    canaries.push(server);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at, host, resolve));
    return server;
  }

  const call = (name: string, deadlineMs = 400) =>
    client.post({ url: `https://${name}:${port}/hook`, headers: {}, body: Buffer.from('{}'), deadlineMs });

  it.each<[string, Answer[]]>([
    ['loopback at once', [{ a: ['127.0.0.1'] }]],
    ['IPv6 loopback only', [{ aaaa: ['::1'] }]],
    ['a public address first, loopback behind it', [{ a: ['192.0.2.1', '127.0.0.1'] }]],
    ['public IPv4, loopback IPv6', [{ a: ['1.1.1.1'], aaaa: ['::1'] }]],
    ['public IPv6, loopback IPv4', [{ a: ['127.0.0.2'], aaaa: ['2606:4700::1111'] }]],
    ['a mapped loopback', [{ aaaa: ['::ffff:7f00:1'] }]],
    ['a compatible loopback', [{ aaaa: ['::7f00:1'] }]],
    ['NAT64 of loopback', [{ aaaa: ['64:ff9b::7f00:1'] }]],
    ['6to4 of loopback', [{ aaaa: ['2002:7f00:1::1'] }]],
    ['metadata', [{ a: ['169.254.169.254'] }]],
    ['three hundred answers, one of them bad', [{ a: [...Array<string>(40).fill('1.1.1.1'), '127.0.0.1'] }]],
    ['no such name', [{ code: 3 }]],
    ['a server failure', [{ code: 2 }]],
    ['no answer', ['lost']],
    ['no address', [{}]],
  ])('leads nowhere by %s', async (what, answers) => {
    const name = `${what.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}.example`;
    dns.script(name, ...answers);
    expect(await call(name)).toMatchObject({ kind: 'no_answer', text: COULD_NOT_CONNECT });
    expect(accepted).toEqual([]);
  });

  it('is asked anew for each connection, and refused when it has turned', async () => {
    dns.script('turning.example', { a: ['192.0.2.1'] }, { a: ['127.0.0.1'] });
    const before = dns.asked.filter((name) => name === 'turning.example').length;
    const causes: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await call('turning.example');
      if (answer.kind === 'no_answer') causes.push(answer.cause);
    }
    expect(causes[0]).toContain('192.0.2.1 is not');
    expect(causes.slice(1)).toEqual(Array<string>(3).fill('127.0.0.1 is not an address we connect to'));
    expect(dns.asked.filter((name) => name === 'turning.example').length - before).toBe(4);
    expect(accepted).toEqual([]);
  });

  it('looks a name up once for a connection, and connects to that very answer', async () => {
    // Between check and use lies no second question: the next answer would have been the other address.
    dns.script('localhost', { a: ['127.0.0.2'] }, { a: ['127.0.0.1'] });
    const before = dns.asked.length;
    await call('localhost');
    expect(dns.asked.length - before).toBe(1);
    expect(accepted.splice(0)).toEqual(['127.0.0.2']);
  });

  it('can not move localhost off this machine', async () => {
    dns.script('localhost', { a: ['1.1.1.1'] });
    const answer = await call('localhost');
    expect(answer).toMatchObject({ kind: 'no_answer', cause: expect.stringContaining('1.1.1.1 is not') });
  });

  it('finds the canaries awake: they do count who comes', async () => {
    await client.post({ url: `http://127.0.0.1:${port}/`, headers: {}, body: Buffer.from('{}'), deadlineMs: 500 });
    expect(accepted.splice(0)).toEqual(['127.0.0.1']);
  });
});
