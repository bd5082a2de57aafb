// A final row back to its event: the columns in their places, and `_extra` laid over them. The reverse of encode.ts.
import type { TablePlan } from '../model.ts';
import type { ObjectShape } from '../schema/shape.ts';
import { defineMember, isObject, type JsonObject } from './object.ts';

/**
 * Puts an event together again.
 * @param row values by column name, already in the form that JSON has them in (numbers, ISO dates); null for SQL NULL
 * @param shape the shape of the version in the row's `_schema_version`
 */
export function assembleEvent(row: Readonly<JsonObject>, plan: TablePlan, shape: ObjectShape): JsonObject {
  const extra = isObject(row._extra) ? row._extra : {};
  return assemble(row, plan, shape, extra).event;
}

function assemble(
  row: Readonly<JsonObject>,
  plan: TablePlan,
  shape: ObjectShape,
  extra: JsonObject,
): { event: JsonObject; trace: boolean } {
  const event: JsonObject = {};
  let trace = Object.keys(extra).length > 0;
  for (const [name, slot] of shape.properties) {
    const left = Object.hasOwn(extra, name) ? extra[name] : undefined;
    const required = shape.required.has(name);
    if (slot.kind === 'column') {
      const value = row[plan.columns[slot.index]!.name];
      if (value !== null && value !== undefined) {
        defineMember(event, name, value);
        trace = true;
      } else if (left === undefined && required) defineMember(event, name, null);
    } else if (left === undefined || isObject(left)) {
      const inner = assemble(row, plan, slot.shape, left ?? {});
      if (inner.trace || left !== undefined || (required && !slot.nullable)) defineMember(event, name, inner.event);
      if (inner.trace) trace = true;
    }
  }
  for (const [name, value] of Object.entries(extra)) {
    if (!Object.hasOwn(event, name)) defineMember(event, name, value);
  }
  return { event, trace };
}
