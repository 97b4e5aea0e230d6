import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { transform } from '@swc/core';

let mutation;

export function initialize(planted) {
  mutation = planted;
}

/** Loads one file with one text in place of another. */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith(`/${mutation.file}`)) return next(url, context);
  const filename = fileURLToPath(url);
  const source = await readFile(filename, 'utf8');
  const places = source.split(mutation.find).length - 1;
  if (places !== 1) throw new Error(`${mutation.name}: its text is found ${places} times in ${mutation.file}`);
  const { code } = await transform(
    source.replace(mutation.find, () => mutation.put),
    { filename },
  );
  return { format: 'module', source: code, shortCircuit: true };
}
