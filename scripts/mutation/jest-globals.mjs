// What the pure specs import from '@jest/globals', as far as they use it: Jest's own `expect`, and a list of the tests.
export { expect } from 'expect';

let tests = [];
let path = [];

export function it(name, body) {
  tests.push({ name: [...path, name].join(' › '), body });
}

export function describe(name, body) {
  path.push(name);
  body();
  path.pop();
}

// The title's number tells the rows apart: printing values could run the code under test.
it.each = (rows) => (name, body) =>
  rows.forEach((row, index) => it(`${name} #${index + 1}`, () => body(...(Array.isArray(row) ? row : [row]))));

describe.each = (rows) => (name, body) =>
  rows.forEach((row, index) => describe(`${name} #${index + 1}`, () => body(...(Array.isArray(row) ? row : [row]))));

/** The tests collected since the last call. */
export function collected() {
  const all = tests;
  tests = [];
  path = [];
  return all;
}
