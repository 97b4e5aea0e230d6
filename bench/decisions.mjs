// `node bench/decisions.mjs [rounds]`: decisions per second of the core, from the sources as they stand.
import '../scripts/typescript.mjs';

await import('./decisions.ts');
