/** An answer as bytes: stored under a key, it is sent again byte for byte. */
export interface Answer {
  status: number;
  body: Buffer;
}

export function encodeAnswer(status: number, body: object): Answer {
  return { status, body: Buffer.from(JSON.stringify(body)) };
}
