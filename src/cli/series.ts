// A series as CSV: `timestamp,value`, a period a line. Reads it as it comes and judges nothing. A broken line ends the
// reading with an error that names it: a series with a hole nobody knows of would be judged wrongly.

import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { StartError } from '../errors.ts';
import { visible } from '../visible.ts';
import type { Rows } from '../watch/anomalies/grid.ts';
import { sourceFault } from './print.ts';
import { openSource, SourceError } from './source.ts';

/** No line of two columns is longer. */
const MAX_LINE = 1024;

/**
 * @param name a path, or `-` for standard input; plain or gzipped
 * @throws {StartError} naming the file and the line
 */
export async function readSeries(name: string): Promise<Rows> {
  const reader = new SeriesReader(name);
  try {
    const { bytes, gzip, close } = await openSource(name);
    try {
      const take = async (chunks: AsyncIterable<Buffer>) => {
        // Of a character that is cut in two nothing is lost: what is no ASCII is an error anyway.
        for await (const chunk of chunks) reader.take(chunk.toString('latin1'));
      };
      if (gzip) await pipeline(bytes, createGunzip(), take);
      else await take(bytes);
    } finally {
      close();
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `${visible(name)}: ${sourceFault(error instanceof SourceError ? error : new SourceError(error))}`,
    );
  }
  return reader.end();
}

class SeriesReader {
  readonly #name: string;
  #rest = '';
  #line = 0;
  #count = 0;
  #times = new Float64Array(1024);
  #values = new Float64Array(1024);

  constructor(name: string) {
    this.#name = visible(name);
  }

  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#read(line);
    if (this.#rest.length > MAX_LINE) this.#read(this.#rest);
  }

  end(): Rows {
    if (this.#rest !== '') this.#read(this.#rest);
    if (this.#line === 0) throw new StartError(`${this.#name} is empty: it needs the header timestamp,value`);
    return { times: this.#times.slice(0, this.#count), values: this.#values.slice(0, this.#count) };
  }

  #read(text: string): void {
    this.#line++;
    const line = text.trim();
    if (line.length > MAX_LINE) this.#fail('is too long');
    if (this.#line === 1) {
      const names = line.replace(/^\u00EF\u00BB\u00BF/, '').split(',');
      if (names.map((each) => unquoted(each).toLowerCase()).join() !== 'timestamp,value') {
        this.#fail('is not the header timestamp,value');
      }
      return;
    }
    if (line === '') return;
    const cells = line.split(',');
    if (cells.length !== 2) this.#fail(`has ${cells.length} columns, not 2`);
    const time = parseTime(unquoted(cells[0]!));
    if (time === null) this.#fail('has no time like 2026-11-20T08:00:00Z, 2026-11-20 08:00:00 or 2026-11-20');
    const value = parseValue(unquoted(cells[1]!));
    if (value === null) this.#fail('has no number');
    if (this.#count === this.#times.length) this.#grow();
    this.#times[this.#count] = time!;
    this.#values[this.#count++] = value!;
  }

  #grow(): void {
    const [times, values] = [this.#times, this.#values];
    this.#times = new Float64Array(times.length * 2);
    this.#values = new Float64Array(times.length * 2);
    this.#times.set(times);
    this.#values.set(values);
  }

  #fail(what: string): never {
    throw new StartError(`${this.#name}: line ${this.#line} ${what}`);
  }
}

function unquoted(cell: string): string {
  const text = cell.trim();
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text;
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(?: ?([Zz]|[+-]\d\d:\d\d))?$/;

/** RFC 3339, or without a zone, which is UTC then. @returns milliseconds since 1970; null if it is none */
function parseTime(text: string): number | null {
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone = 'Z'] =
    TIME.exec(text) ?? [];
  if (year === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // What JavaScript moves into the next month is no date; neither are years of the first century.
  if (new Date(date).getUTCDate() !== Number(day) || Number(month) > 12 || Number(year) < 1000) return null;
  const time =
    date + (Number(hour) * 60 + Number(minute)) * 60_000 + Number(second) * 1000 + Number(`0.${fraction}`) * 1000;
  if (zone.toUpperCase() === 'Z') return time;
  const [hours, minutes] = zone.slice(1).split(':').map(Number) as [number, number];
  if (hours > 23 || minutes > 59) return null;
  return time - (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;

/** @returns NaN for an empty cell, which is an unknown; null if it is no number */
function parseValue(text: string): number | null {
  if (text === '' || text.toLowerCase() === 'nan') return Number.NaN;
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : null;
}
