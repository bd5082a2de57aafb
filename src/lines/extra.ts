// `_extra`: whatever of an event no column takes, in the event's own nesting, so that columns and `_extra` together are
// the event again. Walks the shape slowly and exactly; the generated encoder calls it only where something may be left.
import type { TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import type { ObjectShape, Slot } from '../schema/shape.ts';
import { JsonbText } from './jsonb.ts';
import { defineMember, isObject, type JsonObject } from './object.ts';
import { fitsColumn } from './rows.ts';

/** What one object leaves over. */
interface Leftover {
  /** Members of `_extra` at this level; undefined if there are none. */
  members: JsonObject | undefined;
  /** Whether a column or a member shows that the object was there. */
  trace: boolean;
}

/** The value of `_extra`, or undefined if nothing is left over. */
export function extraOf(event: object, shape: ObjectShape, plan: TablePlan): JsonObject | undefined {
  return leftover(event as JsonObject, shape, plan).members;
}

function leftover(object: JsonObject, shape: ObjectShape, plan: TablePlan): Leftover {
  let members: JsonObject | undefined;
  let trace = false;
  const keep = (key: string, value: unknown): void => {
    members ??= {};
    defineMember(members, key, value);
  };
  for (const key of Object.keys(object)) {
    const value = object[key];
    const slot = shape.properties.get(key);
    if (slot?.kind === 'object' && isObject(value)) {
      const inner = leftover(value, slot.shape, plan);
      const certain = shape.required.has(key) && !slot.nullable;
      if (inner.members !== undefined) keep(key, inner.members);
      else if (!inner.trace && !certain) keep(key, {});
      // A required object without a trace shows in the schema, but it is no sign of the object around it.
      if (inner.trace) trace = true;
    } else if (slot?.kind === 'column' && takenByColumn(value, slot, shape.required.has(key), plan)) {
      if (value !== null) trace = true;
    } else {
      keep(key, value);
    }
  }
  return { members, trace: trace || members !== undefined };
}

/** Whether the column alone says what the value was. */
function takenByColumn(value: unknown, slot: Slot & { kind: 'column' }, required: boolean, plan: TablePlan): boolean {
  if (value === null) return required && slot.nullable;
  return fitsColumn(value, plan.columns[slot.index]!.type);
}

/**
 * JSON Pointer of the first member of the event that keeps jsonb from holding this `_extra`; empty where it is only
 * all of them together.
 * @param escapes as in `RowBuffer.escapes`
 */
export function pathOfFault(extra: JsonObject, shape: ObjectShape, escapes: boolean): string {
  const path = faultIn(extra, shape, escapes, new JsonbText());
  return path === undefined ? '' : pointer(path);
}

function faultIn(extra: JsonObject, shape: ObjectShape, escapes: boolean, json: JsonbText): string[] | undefined {
  for (const key of Object.keys(extra)) {
    const value = extra[key];
    const slot = shape.properties.get(key);
    if (slot?.kind === 'object' && isObject(value)) {
      const inner = faultIn(value, slot.shape, escapes, json);
      if (inner !== undefined) return [key, ...inner];
    } else if ((json.write(key, escapes) ?? json.write(value, escapes)) !== undefined) {
      return [key];
    }
  }
  return undefined;
}
