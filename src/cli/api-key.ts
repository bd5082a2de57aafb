// The API key of a command that talks to a server: from the environment or from a file, never from an argument, which
// everybody on the machine can read in the list of processes.
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FAULTS, sourceFault } from './print.ts';
import { SourceError } from './source.ts';

const VARIABLE = 'SLUICE_API_KEY';

/** `--key-file FILE`: its value is the key in the file. */
export function keyFileOption(): Option {
  return new Option(
    '--key-file <FILE>',
    `a file with the API key in it (default: ${VARIABLE} in the environment)`,
  ).argParser(readKeyFile);
}

/** The key to send; undefined where there is none. */
export function apiKey(fromFile: string | undefined, command: Command): string | undefined {
  const key = fromFile ?? process.env[VARIABLE]?.trim();
  if (key === undefined || key === '') return undefined;
  if (!isSendable(key)) command.error(`error: ${VARIABLE} ${FAULTS.apiKey}`);
  return key;
}

function readKeyFile(path: string): string {
  let key: string;
  try {
    key = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new InvalidArgumentError(sourceFault(new SourceError(error)));
  }
  if (!isSendable(key)) throw new InvalidArgumentError(`It ${FAULTS.apiKey}.`);
  return key;
}

/** What may stand in a header after `Bearer`. Whether it is a key the server says. */
function isSendable(key: string): boolean {
  return /^[A-Za-z0-9._~+/-]{1,500}$/.test(key);
}
