// ajv, set up here once more and apart from the engine, as the judge of its witnesses.

import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Comparison, Difference } from '../../../src/schema/compare/difference.ts';

/** ajv's verdict on a document, or undefined where ajv cannot compile the schema as it stands. */
export function judge(schema: unknown): (value: unknown) => boolean | undefined {
  const named = typeof schema === 'object' && schema !== null ? String((schema as { $schema?: unknown }).$schema) : '';
  const Class = named.includes('2020-12') ? Ajv2020 : named.includes('2019-09') ? Ajv2019 : Ajv;
  const ajv = new Class({ strict: false, logger: false, meta: false, validateSchema: false, ownProperties: true });
  (formats as unknown as (ajv: Ajv) => void)(ajv as Ajv);
  try {
    const validate = ajv.compile(schema as object);
    return (value) => {
      try {
        return validate(value) as boolean;
      } catch {
        return undefined;
      }
    };
  } catch {
    return () => undefined;
  }
}

/** The witnesses that do not separate the two versions as they claim to. */
export function falseWitnesses(before: unknown, after: unknown, { differences }: Comparison): Difference[] {
  const [old, next] = [judge(before), judge(after)];
  return differences.filter((difference) => {
    if (difference.witness === undefined) return false;
    const [accepts, rejects] = difference.witness_valid_under === 'old' ? [old, next] : [next, old];
    const first = accepts(difference.witness) === false || rejects(difference.witness) === true;
    const { forward_witness: other } = difference;
    return first || (other !== undefined && (next(other) === false || old(other) === true));
  });
}
