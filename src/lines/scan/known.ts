// The scanners of this process, compiled once a version has had some lines: a small upload alone pays nothing for one.
import type { SchemaVersion } from '../../schema/registry.ts';
import { compileScanner, type Scan } from './compile.ts';

/** Lines of a version before its scanner is compiled, which takes a millisecond or two. */
const FEW_LINES = 100;

/** The scanner for a line of a version; undefined: not yet; null: never. */
export type ScannerOf = (version: SchemaVersion) => Scan | null | undefined;

const known = new WeakMap<SchemaVersion, { lines: number; scan: Scan | null | undefined }>();

/** To be called once a line. */
export function scannerOf(version: SchemaVersion): Scan | null | undefined {
  let entry = known.get(version);
  if (entry === undefined) {
    entry = { lines: 0, scan: undefined };
    known.set(version, entry);
  }
  if (entry.scan === undefined && ++entry.lines > FEW_LINES) entry.scan = compileScanner(version);
  return entry.scan;
}
