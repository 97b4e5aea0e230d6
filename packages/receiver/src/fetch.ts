import { collect } from './node-request.js';
import { RawBodyRequired } from './raw-body.js';
import { receive, replyTo, type ReceiverOptions } from './receive.js';

const REMEDY =
  'Give the receiver the request before anything calls request.json(), text() or formData(); or a request.clone().';

/** `(request) => Promise<Response>`: Next.js route handlers, Hono, Bun, Deno, workers. Errors of your handlers are thrown. */
export function fetchReceiver(options: ReceiverOptions) {
  return async (request: Request): Promise<Response> => {
    if (request.bodyUsed) throw new RawBodyRequired(REMEDY);
    const rawBody = request.body === null ? '' : await collect(chunksOf(request.body));
    const received =
      rawBody === 'too_large' ? ({ kind: 'too_large' } as const) : await receive(rawBody, request.headers, options);
    const { status, headers, body } = replyTo(received);
    return new Response(body, { status, headers: { ...headers } });
  };
}

interface ChunkReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

// Not every runtime can iterate over a stream; every one has its reader.
async function* chunksOf(stream: { getReader(): ChunkReader }): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value) yield value;
    }
  } finally {
    await reader.cancel();
  }
}
