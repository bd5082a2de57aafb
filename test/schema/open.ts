// Opens schemas without a folder on disk, for tests that need very many.
import { type Bundle, bundle } from '../../src/schema/bundle.ts';
import { type Planned, planTable } from '../../src/schema/columns.ts';
import { Validator, ValidatorCache } from '../../src/schema/compile.ts';
import { type Fault, Findings } from '../../src/schema/faults.ts';
import { Library } from '../../src/schema/library.ts';
import { Links } from '../../src/schema/links.ts';
import { endlessSchema, reachOf } from '../../src/schema/reach.ts';

export interface Opened {
  validators: Validator[];
  /** What ajv compiles, for each version. */
  bundles: (() => Bundle)[];
  planned: Planned;
  warnings: Fault[];
  faults: Fault[];
}

/** Plans one table from the versions, in their order; null where one of them refers to itself in a loop. */
export function openVersions(...versions: unknown[]): Opened | null {
  const findings = new Findings();
  const links = new Links();
  const names = versions.map((_, at) => `subject/1.${at}.0.json`);
  const files = new Map(names.map((file, at) => [file, Buffer.from(JSON.stringify(versions[at]))]));
  const library = new Library(files, links, findings);
  const documents = names.map((file) => library.open(file));
  library.settle();
  if (findings.faults.length > 0) throw new Error(JSON.stringify(findings.faults));

  const reaches = documents.map((document) => reachOf(document!.root, document!.draft, links));
  if (reaches.some((reach, at) => endlessSchema(reach, documents[at]!.draft, links))) return null;
  const cache = new ValidatorCache();
  const bundles = documents.map((document) => () => bundle(document!.root, document!.draft, links));
  const validators = documents.map((document, at) => new Validator(document!.file, bundles[at]!, cache));
  const inputs = documents.map((document, at) => ({
    file: document!.file,
    root: document!.root,
    schemas: reaches[at]!.schemas,
  }));
  const planned = planTable('subject', inputs, links, findings);
  return { validators, bundles, planned, warnings: findings.warnings, faults: findings.faults };
}
