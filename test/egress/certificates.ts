import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A certificate with its key, both PEM, as a TLS server takes them. */
export interface Certificate {
  cert: string;
  key: string;
}

interface Wanted {
  /** A DNS name. */
  name: string;
  validFrom?: Date;
  validTo?: Date;
}

interface Signer {
  name: string;
  key: KeyObject;
}

// Just enough DER for X.509: https://www.rfc-editor.org/rfc/rfc5280#section-4.1
function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const long = body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(body.length < 128 ? [body.length] : long)]), body]);
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const text = (tag: number, value: string) => der(tag, Buffer.from(value, 'latin1'));
const bits = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes);
const instant = (at: Date) => text(0x18, `${at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`);
const called = (name: string) => sequence(der(0x31, sequence(oid('550403'), text(0x0c, name))));
const extension = (id: string, value: Buffer) => sequence(oid(id), der(0x01, Buffer.from([0xff])), der(0x04, value));

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'));
const BASIC_CONSTRAINTS = '551d13';
const SUBJECT_ALT_NAME = '551d11';

let serials = 0;

function issue(wanted: Wanted, signer: Signer | null): { cert: string; key: KeyObject } {
  const { name, validFrom = new Date('2020-01-01'), validTo = new Date('2100-01-01') } = wanted;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = signer === null && name.startsWith('ca ');
  const marks = isAuthority
    ? extension(BASIC_CONSTRAINTS, sequence(der(0x01, Buffer.from([0xff]))))
    : extension(SUBJECT_ALT_NAME, sequence(text(0x82, name)));
  serials += 1;
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([0x01, serials])),
    ECDSA_WITH_SHA256,
    called(signer?.name ?? name),
    sequence(instant(validFrom), instant(validTo)),
    called(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(marks)),
  );
  const signature = sign('sha256', signed, signer?.key ?? privateKey);
  const bytes = sequence(signed, ECDSA_WITH_SHA256, bits(signature));
  const lines = bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return { cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key: privateKey };
}

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** An authority of the test's own, and servers' certificates by it. */
export class TestAuthority {
  readonly ca: string;
  private readonly signer: Signer;

  constructor(name = 'ca of the tests') {
    const { cert, key } = issue({ name }, null);
    this.ca = cert;
    this.signer = { name, key };
  }

  certify(wanted: Wanted): Certificate {
    const { cert, key } = issue(wanted, this.signer);
    return { cert, key: pem(key) };
  }
}

/** One that vouches for itself. */
export function selfSigned(name: string): Certificate {
  const { cert, key } = issue({ name }, null);
  return { cert, key: pem(key) };
}
