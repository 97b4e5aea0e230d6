// The compiler leaves data files behind: the decision tables belong beside the compiled code that reads them.
// openapi.yaml stays at the top of the repository, where the service reads it.
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const from = join(root, 'src', 'recovery', 'policy');
const to = join(root, process.argv[2] ?? 'dist', 'recovery', 'policy');

mkdirSync(to, { recursive: true });
for (const file of readdirSync(from)) {
  if (/\.(csv|json)$/.test(file)) cpSync(join(from, file), join(to, file));
}
