import { listen } from './listen/session.js';
import { HELP, readOptions, type Options } from './listen/options.js';
import { Refused } from './listen/refused.js';
import { replayAndWait } from './listen/replay.js';
import { RevtainApi } from './listen/revtain-api.js';

async function run(options: Options): Promise<void> {
  const api = new RevtainApi(options.api, options.apiKey);
  const { forwardTo, replay } = options;
  if (forwardTo !== null) {
    await listen(api, { ...options, forwardTo });
  } else if (replay !== null) {
    const { text, taken } = await replayAndWait(api, replay);
    console.log(text);
    if (!taken) process.exitCode = 1;
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) console.log(HELP);
  else await run(options);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
