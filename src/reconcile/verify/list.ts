// Findings on their way to whoever shows them: counted here, kept nowhere.
import type { FileRecord } from '../../load/record.ts';
import type { Finding, FindingKind, VerifySummary } from './findings.ts';

/** Findings of a kind that come with the row itself. */
const MOST_ROWS = 1_000;

export class Findings {
  readonly byKind: Partial<Record<FindingKind, number>> = {};
  /** Lines, as far as they are what they should be. */
  readonly counts: Omit<VerifySummary['lines'], 'received'> = { stored: 0, rejected: 0, duplicate: 0, blank: 0 };
  readonly #tell: (finding: Finding) => void;
  /** Files begun, with the number of their first line. */
  readonly #files: Pick<FileRecord, 'name' | 'first_line'>[] = [];

  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell;
  }

  open(name: string | null, firstLine: number): void {
    this.#files.push({ name, first_line: firstLine });
  }

  /** Whether a finding of this kind is to have its row. */
  wants(kind: FindingKind): boolean {
    return (this.byKind[kind] ?? 0) < MOST_ROWS;
  }

  get total(): number {
    return Object.values(this.byKind).reduce((sum, count) => sum + count, 0);
  }

  add(finding: Finding): void {
    this.byKind[finding.kind] = (this.byKind[finding.kind] ?? 0) + 1;
    const { kind, line, ...rest } = finding;
    this.#tell({ kind, line, ...this.#placeOf(line), ...rest });
  }

  /** In one of several files. */
  #placeOf(line: number | null): Pick<Finding, 'file' | 'file_line'> {
    if (line === null) return {};
    const file = this.#files.findLast(({ first_line }) => first_line <= line);
    if (file === undefined || file.name === null) return {};
    return { file: file.name, file_line: line - file.first_line + 1 };
  }
}
