// What a plan promises about every valid event, tried on random schemas and events.
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import t from 'tap';
import type { Column, TablePlan } from '../../src/model.ts';
import type { ObjectShape } from '../../src/schema/shape.ts';
import { openVersions } from './open.ts';
import { type Json, sampleEvent, schemas, values } from './schemas.ts';

type JsonObject = { [name: string]: Json };
const EVENTS = 40;

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Ajv itself on the schema as it is; undefined where ajv refuses to compile it. */
function plainAjv(schema: Json): ValidateFunction | undefined {
  const ajv = new Ajv({ strict: false, strictNumbers: true, ownProperties: true, logger: false });
  addFormats.default(ajv);
  try {
    return ajv.compile(schema as AnySchema);
  } catch {
    return undefined;
  }
}

interface Row {
  columns: Map<Column, Json>;
  extra: JsonObject;
}

/** An event taken apart as the rules say, without any of the encoder's short cuts. */
function takeApart(event: JsonObject, plan: TablePlan, shape: ObjectShape): Row {
  const columns = new Map<Column, Json>();
  const walk = (object: JsonObject, level: ObjectShape): { extra: JsonObject; trace: boolean } => {
    const extra: JsonObject = {};
    let trace = false;
    for (const name of level.required) if (!Object.hasOwn(object, name)) throw new Error(`${name} is not required`);
    for (const [name, value] of Object.entries(object)) {
      const slot = level.properties.get(name);
      const isCertain = level.required.has(name);
      if (value === null && slot && !slot.nullable) throw new Error(`${name} is nullable`);
      if (value === null && slot && isCertain) continue;
      if (slot?.kind === 'object') {
        if (value === null) extra[name] = null;
        else if (!isObject(value)) throw new Error(`${name} is no object`);
        else {
          const inner = walk(value, slot.shape);
          trace ||= inner.trace;
          const mayBeAbsent = !isCertain || slot.nullable;
          if (Object.keys(inner.extra).length > 0 || (mayBeAbsent && !inner.trace)) extra[name] = inner.extra;
        }
      } else if (slot && value !== null && fits(value, plan.columns[slot.index]!)) {
        columns.set(plan.columns[slot.index]!, value);
        trace = true;
      } else extra[name] = value;
    }
    return { extra, trace: trace || Object.keys(extra).length > 0 };
  };
  return { extra: walk(event, shape).extra, columns };
}

function fits(value: Json, { type }: Column): boolean {
  switch (type) {
    case 'jsonb':
      return true;
    case 'bigint':
      return Number.isInteger(value);
    case 'double precision':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string';
  }
}

t.test('the verdict is the one of ajv on the schema as it is', async (t) => {
  let accepted = 0;
  const property = fc.property(schemas, fc.array(values, { minLength: 5, maxLength: 5 }), fc.nat(), (...given) => {
    const [schema, random, seed] = given;
    const opened = openVersions(schema);
    const plain = plainAjv(schema);
    if (opened === null || plain === undefined) return;
    const events = [...random, ...Array.from({ length: EVENTS }, (_, at) => sampleEvent(schema, seed + at))];
    for (const event of events) {
      const verdict = opened.validators[0]!.accepts(event);
      if (verdict !== plain(event)) throw new Error(`${verdict} for ${JSON.stringify(event)}`);
      if (verdict) accepted++;
      else if (opened.validators[0]!.explain(event).length === 0) throw new Error('no reason');
    }
  });
  fc.assert(property, { numRuns: 80 });
  t.ok(accepted > 20, 'and the events are worth the test');
});

t.test('columns and _extra hold every valid event, and _extra is planned wherever it can be needed', async (t) => {
  const seen = { closed: 0, spread: 0, notNull: 0, extra: 0 };
  fc.assert(
    fc.property(fc.array(schemas, { minLength: 1, maxLength: 3 }), fc.nat(), (versions, seed) => {
      const opened = openVersions(...versions);
      if (opened === null) return;
      const { plan, shapes } = opened.planned;
      for (const [at, schema] of versions.entries()) {
        for (let number = 0; number < EVENTS; number++) {
          const event = sampleEvent(schema, seed + number);
          if (!isObject(event) || !opened.validators[at]!.accepts(event)) continue;
          const { columns, extra } = takeApart(event, plan, shapes[at]!);
          const isEmpty = Object.keys(extra).length === 0;
          if (!isEmpty && !plan.extra) throw new Error(`lost ${JSON.stringify(extra)} of ${JSON.stringify(event)}`);
          for (const column of plan.columns) {
            if (column.notNull && !columns.has(column)) throw new Error(`${column.name} is NULL`);
          }
          seen.closed += Number(!plan.extra);
          seen.extra += Number(!isEmpty);
          seen.spread += [...columns.keys()].filter(({ path }) => path.length > 1).length;
          seen.notNull += plan.columns.filter(({ notNull }) => notNull).length;
        }
      }
    }),
    { numRuns: 500 },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 0, `worth the test: ${what} ${count}`);
});

t.test('a later version leaves the columns of earlier ones as they are', async (t) => {
  let added = 0;
  const bare = (plan: TablePlan) => plan.columns.map(({ name, path, type }) => ({ name, path, type }));
  fc.assert(
    fc.property(fc.array(schemas, { minLength: 2, maxLength: 3 }), (versions) => {
      const all = openVersions(...versions);
      if (all === null) return;
      const fewer = openVersions(...versions.slice(0, -1))!;
      const [before, after] = [bare(fewer.planned.plan), bare(all.planned.plan)];
      if (JSON.stringify(after.slice(0, before.length)) !== JSON.stringify(before)) throw new Error('changed');
      const names = new Set(after.map(({ name }) => name));
      if (names.size !== after.length) throw new Error('a name twice');
      added += after.length - before.length;
    }),
    { numRuns: 150 },
  );
  t.ok(added > 10, `worth the test: ${added} columns added`);
});
