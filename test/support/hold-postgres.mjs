// A process that starts the embedded PostgreSQL and holds it, as the service does. Arguments: the path of the compiled
// launcher, its options as JSON. It tells what happens in lines of JSON on stdout; a signal makes it stop, and so does
// the end of stdin: when the tests are cut short nothing may stay behind.
import { pathToFileURL } from 'node:url';

const [, , launcher, options] = process.argv;
const { startEmbeddedPostgres } = await import(pathToFileURL(launcher).href);
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
process.stdout.on('error', () => undefined); // Nobody listens any more; then stdin has ended as well.

let gone = false;

try {
  const postgres = await startEmbeddedPostgres({
    ...JSON.parse(options),
    log: (line) => tell({ kind: 'log', line }),
    onGone: ({ message }) => {
      gone = true;
      tell({ kind: 'gone', message });
    },
  });
  const stop = async () => {
    // Only a server that the signal did not reach can answer this.
    if (!gone) await postgres.announce(4711);
    await postgres.stop();
    tell({ kind: 'stopped' });
    process.stdin.destroy();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  process.stdin.once('end', stop).resume();
  const { connectionString, adopted, pid, folder } = postgres;
  tell({ kind: 'up', connectionString, adopted, pid, folder });
} catch (error) {
  tell({ kind: 'refused', name: error.name, message: error.message });
  process.exitCode = 1;
}
