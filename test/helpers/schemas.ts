// Schema folders made for one test.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';

/** Writes a folder from `{'order/1.0.0.json': {...}}`; it goes when the test ends. */
export async function schemaFolder(t: Test, files: Readonly<Record<string, object>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-schemas-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), JSON.stringify(content));
  }
  return folder;
}

/** A suite as `expectations.json` has it. */
export function suite(...expectations: [type: string, kwargs: object, severity?: string][]): object {
  return {
    expectations: expectations.map(([type, kwargs, severity]) => {
      return { type, kwargs, ...(severity === undefined ? {} : { meta: { severity } }) };
    }),
  };
}
