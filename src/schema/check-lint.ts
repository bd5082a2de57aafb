// What a schema file says that works, but can hurt: patterns that take forever, and bounds that are missing. The rest
// of the lint (lint.ts) belongs to loading. Pure.
//
// The bounds are those of ajv's json-schema-secure.json, but for two: a maxLength beside `format` (our format checks are
// linear, and MAX_LINE_BYTES bounds every string), and beside a pattern that looks at a bounded number of characters.
import { check } from 'recheck';
import { pointer } from '../pointer.ts';
import { type Draft, draftOf, eachSubschema, isSchemaObject, type SchemaObject } from './dialect.ts';
import { parseDocument } from './document.ts';
import { schemaPattern } from './pattern.ts';

/** Names are stable: tools filter them. */
type LintRule = 'unsafe_pattern' | 'slow_pattern' | 'unjudged_pattern' | 'missing_bound';

export interface LintFinding {
  rule: LintRule;
  severity: 'error' | 'warning';
  file: string;
  /** RFC 6901. */
  place: string;
  message: string;
}

type Hazard = { kind: 'exponential' | 'polynomial' | 'linear' | 'constant' | 'unknown'; attack?: string };

/** Milliseconds for one pattern. */
const BUDGET_MS = 2_000;

// The analysis also comes as a Java archive and as binaries, which it would start as processes of their own.
process.env.RECHECK_BACKEND = 'pure';

export class FolderLint {
  readonly #hazards = new Map<string, Promise<Hazard>>();

  /** Lints one file; one that is not JSON has nothing to say here. */
  async lint(file: string, bytes: Uint8Array): Promise<LintFinding[]> {
    const parsed = parseDocument(bytes);
    if ('reason' in parsed || !isSchemaObject(parsed.value)) return [];
    const findings: LintFinding[] = [];
    for (const [place, schema] of subschemasOf(parsed.value)) {
      for (const each of [...(await this.#patterns(schema)), ...missingItems(schema)]) {
        findings.push({ ...each, file, place: place + each.place });
      }
    }
    return findings;
  }

  async #patterns(schema: SchemaObject): Promise<Omit<LintFinding, 'file'>[]> {
    const { pattern, maxLength, patternProperties, propertyNames } = schema;
    const found: Omit<LintFinding, 'file'>[] = [];
    if (typeof pattern === 'string') {
      found.push(...(await this.#judge(pattern, '/pattern', maxLength, 'maxLength')));
    }
    if (isSchemaObject(patternProperties)) {
      const bound = isSchemaObject(propertyNames) ? propertyNames.maxLength : undefined;
      for (const source of Object.keys(patternProperties)) {
        const place = pointer(['patternProperties', source]);
        found.push(...(await this.#judge(source, place, bound, 'propertyNames with a maxLength')));
      }
    }
    return found;
  }

  async #judge(source: string, place: string, bound: unknown, wanted: string): Promise<Omit<LintFinding, 'file'>[]> {
    const { kind, attack } = await this.#hazardOf(source);
    const isBounded = typeof bound === 'number';
    const example = attack === undefined ? '' : `, e.g. with ${attack}`;
    switch (kind) {
      case 'exponential':
        return [finding('unsafe_pattern', 'error', place, `the pattern takes exponential time${example}`)];
      case 'polynomial':
        if (isBounded) return [];
        return [
          finding(
            'slow_pattern',
            'warning',
            place,
            `the pattern gets slow on long strings${example}: give it ${wanted}`,
          ),
        ];
      case 'unknown':
        return [finding('unjudged_pattern', 'warning', place, 'whether the pattern is safe could not be found out')];
      case 'linear':
        if (isBounded) return [];
        return [finding('missing_bound', 'warning', place, `the pattern has no ${wanted} beside it`)];
      default:
        return [];
    }
  }

  #hazardOf(source: string): Promise<Hazard> {
    const known = this.#hazards.get(source) ?? hazardOf(source);
    this.#hazards.set(source, known);
    return known;
  }
}

async function hazardOf(source: string): Promise<Hazard> {
  let flags: string;
  try {
    flags = schemaPattern(source).flags;
  } catch {
    // Loading the folder tells about that.
    return { kind: 'constant' };
  }
  try {
    const result = await check(source, flags, { timeout: BUDGET_MS });
    if (result.status === 'unknown') return { kind: 'unknown' };
    if (result.status === 'vulnerable') return { kind: result.complexity.type, attack: result.attack.pattern };
    return { kind: result.complexity.type === 'linear' ? 'linear' : 'constant' };
  } catch {
    return { kind: 'unknown' };
  }
}

/** Comparing each element with each other one: quick for scalars only. */
function missingItems({ uniqueItems, maxItems, items }: SchemaObject): Omit<LintFinding, 'file'>[] {
  if (uniqueItems !== true || typeof maxItems === 'number') return [];
  const type = isSchemaObject(items) ? items.type : undefined;
  const types = Array.isArray(type) ? type : [type];
  if (types.every((each) => typeof each === 'string' && each !== 'object' && each !== 'array')) return [];
  const message = 'uniqueItems compares all pairs of what may be objects or arrays: give it a maxItems';
  return [finding('missing_bound', 'warning', '/uniqueItems', message)];
}

function finding(rule: LintRule, severity: LintFinding['severity'], place: string, message: string) {
  return { rule, severity, place, message };
}

/** Every subschema with its place. A file that names no draft may be of either. */
function subschemasOf(root: SchemaObject): Map<string, SchemaObject> {
  const declared = typeof root.$schema === 'string' ? draftOf(root.$schema) : null;
  const drafts: Draft[] = declared === null ? ['draft-07', '2020-12'] : [declared];
  const found = new Map<string, SchemaObject>();
  for (const draft of drafts) {
    const waiting: [place: string, schema: SchemaObject][] = [['', root]];
    for (const [place, schema] of waiting) {
      found.set(place, schema);
      eachSubschema(schema, draft, ({ schema: inner, keyword, key }) => {
        if (isSchemaObject(inner))
          waiting.push([place + pointer(key === undefined ? [keyword] : [keyword, key]), inner]);
      });
    }
  }
  return found;
}
