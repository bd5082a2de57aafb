// What became of one file, and the exit code that follows from it.
import type { ProblemDocument, Report } from '../client/client.ts';

/** `Fine`: every line is in. `Rejections`: some lines, or a held batch, need a look. `Failed`: nothing was stored. */
export const ExitCode = { Fine: 0, Rejections: 1, Failed: 2 } as const;

/** A report, or why there is none. */
export type Outcome =
  | {
      report: Report;
      /** Reads all rejections again, each one JSON text, where the report may not hold them all. */
      rejections?: () => AsyncIterable<string>;
    }
  | {
      error: string;
      /** The document behind the error, where the server sent one. */
      problem?: ProblemDocument;
    };

const NOTHING_KEPT: readonly Report['status'][] = ['rejected', 'aborted', 'discarded', 'undone'];

export function exitCodeOf(outcome: Outcome): number {
  if ('error' in outcome) return ExitCode.Failed;
  const { status, lines, replay_of } = outcome.report;
  // What a replay rejects stays stored as it was: nothing failed.
  if (status === 'rejected' && replay_of !== undefined) return ExitCode.Rejections;
  if (NOTHING_KEPT.includes(status)) return ExitCode.Failed;
  return status === 'held' || lines.rejected > 0 ? ExitCode.Rejections : ExitCode.Fine;
}
