// Lets plain Node run the sources as they are: `node --import ./test/support/run-typescript.mjs src/main.ts`.
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);
