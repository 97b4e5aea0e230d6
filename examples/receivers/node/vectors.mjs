// Runs the shared vectors: `node vectors.mjs [file]`.
import { readFileSync } from 'node:fs';

import { verifyPlain, verifyStandard } from './verify.mjs';

const file = process.argv[2] ?? new URL('../../../test/contract/signature-vectors-receiver.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8'));
let failed = 0;
for (const { name, scheme, secrets, now, headers, bodyBase64, expected } of vectors) {
  const body = Buffer.from(bodyBase64, 'base64');
  const verified =
    scheme === 'standard' ? verifyStandard(body, headers, secrets, now) : verifyPlain(body, headers, secrets);
  const passed = verified === (expected === 'verified');
  if (!passed) failed += 1;
  console.log(`${passed ? 'pass' : 'FAIL'} ${name}`);
}
console.log(`${vectors.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
