// ajv as the referee: a witness is only shown after ajv has accepted it under one schema and rejected it under the
// other. Validators are compiled when the first witness needs them, since that costs more than most comparisons.

import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { cleaned } from './cleaned.ts';
import type { Draft, SchemaDocument } from './document.ts';
import { compilePattern } from './pattern.ts';

const CLASSES = { 'draft-07': Ajv, '2019-09': Ajv2019, '2020-12': Ajv2020 };

/** Expressions that the unicode flag forbids run without it, as `compilePattern` does. */
const regExp = Object.assign((pattern: string) => compilePattern(pattern), { code: 'compilePattern' });

function validatorFactory(draft: Draft): Ajv {
  const ajv = new CLASSES[draft]({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    ownProperties: true,
    // A validator is used for a few documents: compiling quickly matters more than validating quickly (4.3 s against
    // 0.35 s for a schema of 630 kB).
    inlineRefs: false,
    messages: false,
    code: { regExp, optimize: false },
  });
  // The type of the package's default export is the module under NodeNext.
  (formats as unknown as (ajv: Ajv) => void)(ajv);
  return ajv as Ajv;
}

/** ajv's verdicts on documents under one schema. */
export class Referee {
  private readonly document: SchemaDocument;
  private validate: ValidateFunction | null | undefined;

  constructor(document: SchemaDocument) {
    this.document = document;
  }

  /** true or false as ajv says; undefined when ajv cannot compile the schema or fails on the document. */
  accepts(value: unknown): boolean | undefined {
    if (this.validate === undefined) this.validate = this.compile();
    if (this.validate === null) return undefined;
    try {
      return this.validate(value) === true;
    } catch {
      return undefined;
    }
  }

  private compile(): ValidateFunction | null {
    const { root, draft } = this.document;
    if (typeof root === 'boolean') return validatorFactory(draft).compile(root);
    // The second attempt is for schemas whose `$id`s repeat or whose references ajv reads otherwise.
    for (const schema of [() => root, () => cleaned(this.document)]) {
      try {
        return validatorFactory(draft).compile(schema() as object);
      } catch {
        // Not this way.
      }
    }
    return null;
  }
}
