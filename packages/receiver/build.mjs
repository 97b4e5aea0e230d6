// Builds dist/esm and dist/cjs, each with its .d.ts files: `node build.mjs [folder]`, by default ./dist.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const out = resolve(process.argv[2] ?? join(here, 'dist'));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

const FORMS = [
  { folder: 'esm', type: 'module', options: ['--module', 'nodenext', '--moduleResolution', 'nodenext'] },
  { folder: 'cjs', type: 'commonjs', options: ['--module', 'commonjs', '--moduleResolution', 'bundler'] },
];

rmSync(out, { recursive: true, force: true });
for (const { folder, type, options } of FORMS) {
  const outDir = join(out, folder);
  mkdirSync(outDir, { recursive: true });
  const common = ['--noEmit', 'false', '--incremental', 'false', '--declaration', '--sourceMap', 'false'];
  // Without this, tsc takes the wish for no build file as a wish to write one.
  const noBuildInfo = ['--tsBuildInfoFile', 'null'];
  execFileSync(process.execPath, [tsc, '-p', here, '--outDir', outDir, ...common, ...noBuildInfo, ...options], {
    stdio: 'inherit',
  });
  // Tells Node how to read the .js files beside it, whatever the package above says.
  writeFileSync(join(outDir, 'package.json'), `${JSON.stringify({ type })}\n`);
}
