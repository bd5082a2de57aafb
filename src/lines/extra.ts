// `_extra`: whatever of an event no column takes, in the event's own nesting, so that columns and `_extra` together are
// the event again. Walks the shape slowly and exactly; the generated encoder calls it only where something may be left.
import type { TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import type { ObjectShape, Slot } from '../schema/shape.ts';
import { isObject } from './object.ts';
import { deepTextFault, exactJson, fitsColumn } from './rows.ts';

export interface ExtraFault {
  path: string;
  reason: string;
}

interface Walk {
  plan: TablePlan;
  escapes: boolean;
  fault: ExtraFault | undefined;
}

/** What one object leaves over. */
interface Leftover {
  /** Members of `_extra` at this level, as JSON text. */
  members: string[];
  /** Whether a column or a member shows that the object was there. */
  trace: boolean;
}

/**
 * JSON text of `_extra`, undefined if nothing is left over, or why jsonb cannot hold it.
 * @param escapes whether strings may hold NUL or half surrogate pairs, as in `RowBuffer.escapes`
 */
export function extraJson(
  event: object,
  shape: ObjectShape,
  plan: TablePlan,
  escapes: boolean,
): string | ExtraFault | undefined {
  const walk: Walk = { plan, escapes, fault: undefined };
  const { members } = leftover(event as Record<string, unknown>, shape, [], walk);
  if (walk.fault !== undefined) return walk.fault;
  return members.length === 0 ? undefined : `{${members.join(',')}}`;
}

function leftover(object: Record<string, unknown>, shape: ObjectShape, path: readonly string[], walk: Walk): Leftover {
  const members: string[] = [];
  let trace = false;
  for (const key of Object.keys(object)) {
    const value = object[key];
    const slot = shape.properties.get(key);
    const here = [...path, key];
    if (slot?.kind === 'object' && isObject(value)) {
      const inner = leftover(value, slot.shape, here, walk);
      const certain = shape.required.has(key) && !slot.nullable;
      if (inner.members.length > 0) members.push(member(key, `{${inner.members.join(',')}}`));
      else if (!inner.trace && !certain) members.push(member(key, '{}'));
      // A required object without a trace shows in the schema, but it is no sign of the object around it.
      if (inner.trace) trace = true;
    } else if (slot?.kind === 'column' && takenByColumn(value, slot, shape.required.has(key), walk)) {
      if (value !== null) trace = true;
    } else {
      members.push(member(key, json(key, value, here, walk)));
    }
  }
  return { members, trace: trace || members.length > 0 };
}

/** Whether the column alone says what the value was. */
function takenByColumn(value: unknown, slot: Slot & { kind: 'column' }, required: boolean, walk: Walk): boolean {
  if (value === null) return required && slot.nullable;
  return fitsColumn(value, walk.plan.columns[slot.index]!.type);
}

function json(key: string, value: unknown, path: readonly string[], walk: Walk): string {
  const fault = walk.escapes ? (deepTextFault(key) ?? deepTextFault(value)) : undefined;
  const text = fault === undefined ? exactJson(value) : undefined;
  if (text !== undefined) return text;
  walk.fault ??= { path: pointer(path), reason: fault ?? 'jsonb cannot hold so long a number' };
  return 'null';
}

function member(key: string, text: string): string {
  return `${JSON.stringify(key)}:${text}`;
}
