// Loads specs and sources as they stand, a fresh copy of all of them for each run: what one mutant left behind in a table
// or a cache must not decide about the next. A run's number is carried from importer to imported as `?run=`.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { transform } from '@swc/core';

const INSTEAD = new Map([
  ['@jest/globals', new URL('./jest-globals.mjs', import.meta.url).href],
  ['fast-check', new URL('./fast-check.mjs', import.meta.url).href],
]);

/** Transpiled once per process: the files of a sandbox do not change. */
const sources = new Map();

export async function resolve(specifier, context, next) {
  const run = /\.ts(\?run=\d+)$/.exec(context.parentURL ?? '')?.[1];
  if (run === undefined) return next(specifier, context);
  const instead = INSTEAD.get(specifier);
  if (instead !== undefined) return { url: instead, shortCircuit: true };
  if (!/^\.{1,2}\/.*\.js$/.test(specifier)) return next(specifier, context);
  return { url: new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL).href + run, shortCircuit: true };
}

export async function load(url, context, next) {
  const [path] = url.split('?');
  if (!path.startsWith('file:') || !path.endsWith('.ts')) return next(url, context);
  if (!sources.has(path)) sources.set(path, transpiled(fileURLToPath(path)));
  return { format: 'module', source: await sources.get(path), shortCircuit: true };
}

async function transpiled(filename) {
  return (await transform(await readFile(filename, 'utf8'), { filename })).code;
}
