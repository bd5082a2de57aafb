// What is not as it should be, in lists of bounded length.

/** Entries of each list. */
const MOST = 1_000;

/** A row of the batch that no accepted line accounts for. */
export interface UnknownRow {
  /** With its schema: `events.user_event`. */
  table: string;
  /** Null where the row has none. */
  line: number | null;
  row: unknown;
}

export class Differences {
  readonly missing: number[] = [];
  readonly changed: number[] = [];
  readonly doubled: number[] = [];
  readonly unknown: UnknownRow[] = [];
  isTruncated = false;

  /** False once the list is full. */
  note(kind: 'missing' | 'changed' | 'doubled', line: number): boolean {
    return this.#add(this[kind], line);
  }

  noteRow(row: UnknownRow): boolean {
    return this.#add(this.unknown, row);
  }

  /** Entries that still fit into the list of unknown rows. */
  get room(): number {
    return MOST - this.unknown.length;
  }

  get isEmpty(): boolean {
    const { missing, changed, doubled, unknown } = this;
    return missing.length + changed.length + doubled.length + unknown.length === 0;
  }

  /** In the order of lines: several tables may have been looked at. */
  lists() {
    const sorted = (lines: readonly number[]) => [...lines].sort((a, b) => a - b);
    const { missing, changed, doubled, unknown } = this;
    return { missing: sorted(missing), changed: sorted(changed), doubled: sorted(doubled), unknown };
  }

  #add<T>(list: T[], entry: T): boolean {
    if (list.length < MOST) return list.push(entry) <= MOST;
    this.isTruncated = true;
    return false;
  }
}
