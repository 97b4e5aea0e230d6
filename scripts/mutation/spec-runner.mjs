// A test runner for Stryker: pure specs in one process, without Jest around them. Jest sets up a world of its own for each
// spec file, which takes a second for each of thousands of mutants; here a mutant costs what its tests cost.
// @see https://stryker-mutator.io/docs/stryker-js/guides/create-a-plugin/
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';

import { collected } from './jest-globals.mjs';

register('./hooks.mjs', import.meta.url);

/** Shared with the instrumented code: which mutant is active, and what each test has run through. */
const stryker = (globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {});

class SpecRunner {
  static inject = tokens(commonTokens.options);

  #runs = 0;
  #files;

  constructor({ testFiles }) {
    this.#files = testFiles;
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async dryRun() {
    stryker.activeMutant = undefined;
    stryker.mutantCoverage = { static: {}, perTest: {} };
    const result = await run(await this.#load(), { bail: false });
    return { ...result, mutantCoverage: stryker.mutantCoverage };
  }

  async mutantRun({ activeMutant, reloadEnvironment, testFilter, hitLimit, disableBail }) {
    // A mutant in code that runs as a file is loaded is active while all of them are.
    stryker.activeMutant = reloadEnvironment ? activeMutant.id : undefined;
    stryker.hitLimit = hitLimit;
    stryker.hitCount = hitLimit === undefined ? undefined : 0;
    try {
      const all = await this.#load();
      stryker.activeMutant = activeMutant.id;
      // The filter names tests; of a mutant that all tests are run for it names their files.
      const isChosen = ({ id, file }) => testFilter?.includes(id) !== false || testFilter.includes(resolve(file));
      const result = await run(all.filter(isChosen), { bail: !disableBail });
      return toMutantRunResult(determineHitLimitReached(stryker.hitCount, stryker.hitLimit) ?? result);
    } catch (error) {
      // A table or a constant that stops the program as it is loaded.
      return toMutantRunResult({ status: DryRunStatus.Error, errorMessage: String(error?.stack ?? error) });
    }
  }

  /** The tests of a fresh copy of the specs and of all that they import. */
  async #load() {
    this.#runs += 1;
    const tests = [];
    for (const file of this.#files) {
      await import(`${pathToFileURL(resolve(file)).href}?run=${this.#runs}`);
      tests.push(...collected().map((test) => ({ ...test, file })));
    }
    return tests.map((test, index) => ({ ...test, id: `${index} ${test.file} ${test.name}` }));
  }
}

/** Runs tests one after the other. With `bail` the first that fails is the last. */
async function run(tests, { bail }) {
  const results = [];
  for (const { id, file, name, body } of tests) {
    stryker.currentTestId = id;
    const startedMs = performance.now();
    const failure = await failureOf(body);
    const told = { id, name, fileName: resolve(file), timeSpentMs: performance.now() - startedMs };
    results.push(
      failure === null
        ? { ...told, status: TestStatus.Success }
        : { ...told, status: TestStatus.Failed, failureMessage: failure },
    );
    if (failure !== null && bail) break;
  }
  stryker.currentTestId = undefined;
  return { status: DryRunStatus.Complete, tests: results };
}

async function failureOf(body) {
  try {
    await body();
    return null;
  } catch (error) {
    return String(error?.message ?? error);
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'specs', SpecRunner)];
