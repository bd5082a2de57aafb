// A subject's examples: each line of pass.ndjson must pass, each line of fail.ndjson must not, judged by the pipeline
// itself, against the subject's newest version or the one that the line's `$schema` names.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Limits } from '../config.ts';
import { StartError } from '../errors.ts';
import type { Report } from '../model.ts';
import { Registry, type Subject } from '../schema/registry.ts';
import { judgeStream } from '../validate.ts';
import type { CheckedExamples, Finding } from './result.ts';

export const EXAMPLE_FILES = ['pass.ndjson', 'fail.ndjson'] as const;

/** Lines told of one file; the rest is counted. */
const MOST_TOLD = 10;

export async function checkExamples(
  folder: string,
  subject: Subject,
  limits: Limits,
): Promise<{ files: CheckedExamples[]; findings: Finding[] }> {
  const files: CheckedExamples[] = [];
  const findings: Finding[] = [];
  for (const name of EXAMPLE_FILES) {
    const file = `${subject.name}/examples/${name}`;
    const report = await judge(join(folder, file), subject, limits);
    if (report === undefined) continue;
    const found = name === 'pass.ndjson' ? failing(report, file) : passing(report, file);
    const { received, blank, rejected, accepted } = report.lines;
    files.push({ file, lines: received - blank, wrong: name === 'pass.ndjson' ? rejected : accepted });
    findings.push(...found);
  }
  return { files, findings };
}

/** @returns undefined where there is no such file, or nothing in it */
async function judge(path: string, subject: Subject, limits: Limits): Promise<Report | undefined> {
  const size = await stat(path).then(
    (stats) => stats.size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return 0;
      throw new StartError(`${path} cannot be read: ${error.message}`);
    },
  );
  if (size === 0) return undefined;
  // With no other subject around, a line without `$schema` means the newest version.
  const registry = new Registry([subject], []);
  const schema = subject.latest.shape.properties.has('$schema') ? subject.latest : null;
  try {
    return await judgeStream(createReadStream(path), { registry, schema, limits });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new StartError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function failing({ rejections, lines }: Report, file: string): Finding[] {
  const found = rejections.slice(0, MOST_TOLD).map(({ line, code, schema, errors }): Finding => {
    const reasons = errors.slice(0, 3).map(({ path, message }) => `${path === '' ? '' : `${path} `}${message}`);
    const by = schema === null ? '' : ` by ${schema}`;
    return wrong('pass_example_fails', file, `line ${line}`, `is rejected${by} (${code}): ${reasons.join('; ')}`);
  });
  if (lines.rejected > MOST_TOLD) {
    found.push(wrong('pass_example_fails', file, '', `${lines.rejected - MOST_TOLD} more lines are rejected`));
  }
  return found;
}

function passing({ rejections, rejections_truncated: isCut, lines, schemas }: Report, file: string): Finding[] {
  if (lines.accepted === 0) return [];
  const by = Object.keys(schemas).join(', ');
  const rejected = new Set(rejections.map(({ line }) => line));
  const all = isCut || lines.blank > 0 ? [] : Array.from({ length: lines.received }, (_, at) => at + 1);
  const passed = all.filter((line) => !rejected.has(line));
  if (passed.length === 0) return [wrong('fail_example_passes', file, '', `${lines.accepted} lines pass ${by}`)];
  const found = passed.slice(0, MOST_TOLD).map((line) => {
    return wrong('fail_example_passes', file, `line ${line}`, `passes ${by}, and should not`);
  });
  if (passed.length > MOST_TOLD) {
    found.push(wrong('fail_example_passes', file, '', `${passed.length - MOST_TOLD} more lines pass`));
  }
  return found;
}

function wrong(rule: string, file: string, place: string, message: string): Finding {
  return { rule, severity: 'error', file, place, message };
}
