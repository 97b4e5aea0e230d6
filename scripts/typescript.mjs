// Lets Node run the TypeScript of this checkout as it stands, without a build: `node --import ./scripts/typescript.mjs`.
// For the tools of scripts/ and bench/ only; the product itself runs compiled.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
