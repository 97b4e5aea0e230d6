// As much of curl as README.md uses, so that its lines can be run on a machine that has only Node: -s, -w with
// \n and %{http_code}, -H, -d, and the address. Anything else is refused, for then the README needs the real one.
import { request } from 'undici';

const options = { headers: {}, body: undefined, format: '', url: null };
const args = process.argv.slice(2);
while (args.length > 0) take(args.shift());

function take(argument) {
  if (argument === '-s') return;
  if (argument === '-sw') options.format = args.shift();
  else if (argument === '-H') addHeader(args.shift());
  else if (argument === '-d') options.body = args.shift();
  else if (/^https?:/.test(argument) && options.url === null) options.url = argument;
  else throw new Error(`this curl does not know ${argument}`);
}

function addHeader(line) {
  const colon = line.indexOf(':');
  options.headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
}

const { url, headers, body, format } = options;
const answer = await request(url, { method: body === undefined ? 'GET' : 'POST', headers, body });
const text = await answer.body.text();
process.stdout.write(text + format.replaceAll('\\n', '\n').replaceAll('%{http_code}', String(answer.statusCode)));
