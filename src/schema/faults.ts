// What is wrong with a schema folder: everything at once, each with file, place and reason.
import { StartError } from '../errors.ts';

export interface Fault {
  /** Relative to the schema folder, with `/`. */
  file: string;
  /** RFC 6901 pointer into the file, or `line:column` where the file is not JSON; '' is the file as a whole. */
  place: string;
  reason: string;
}

/** The folder cannot be used. Lists every fault, one a line. */
export class SchemaFolderError extends StartError {
  readonly faults: readonly Fault[];

  constructor(folder: string, faults: readonly Fault[]) {
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    super([`The schema folder ${folder} has ${count}:`, ...faults.map(describeFault)].join('\n'));
    this.name = 'SchemaFolderError';
    this.faults = faults;
  }
}

/** One line: file, place, reason. */
function describeFault({ file, place, reason }: Fault): string {
  return `${oneLine(file)}${place === '' ? '' : ` ${oneLine(place)}`}: ${oneLine(reason)}`;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names in a schema may hold them, a terminal should not
  return text.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]/g, (mark) => JSON.stringify(mark).slice(1, -1));
}

interface Warning extends Fault {
  more: number;
}

/** Collects while a folder is read. */
export class Findings {
  readonly faults: Fault[] = [];
  readonly #warnings = new Map<string, Warning>();
  readonly #faulty = new Set<string>();

  fault(file: string, place: string, reason: string): void {
    this.faults.push({ file, place, reason });
    this.#faulty.add(file);
  }

  /** The same in one file counts as one warning with the first place. */
  warn(file: string, place: string, reason: string): void {
    const key = `${file}\n${reason}`;
    const known = this.#warnings.get(key);
    if (known === undefined) this.#warnings.set(key, { file, place, reason, more: 0 });
    else known.more++;
  }

  isFaulty(file: string): boolean {
    return this.#faulty.has(file);
  }

  get warnings(): Fault[] {
    return [...this.#warnings.values()].map(({ file, place, reason, more }) => ({
      file,
      place,
      reason: more === 0 ? reason : `${reason} (and ${more} more of the kind)`,
    }));
  }
}
