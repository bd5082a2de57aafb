// The log: one line of JSON an entry, on standard output. Whatever a client sends, it stays inside of a string of its
// entry: nothing that is logged can look like another line, also to readers that end a line at U+2028 or U+0085.
import pino, { type Logger } from 'pino';
import { visibleJson } from './visible.ts';

/** @param level one of pino's */
export function openLog(level: string): Logger {
  const stdout = pino.destination(1);
  return pino({ level }, { write: (entry: string) => stdout.write(visibleJson(entry)) });
}
