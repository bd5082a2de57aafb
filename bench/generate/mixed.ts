// 15 subjects as a company has them: each with three to ten members of its own, of every simple type, some of them
// nested. The same seed gives the same schemas and the same lines.
import { pick, random, time, uuid } from './random.ts';

const SUBJECTS = 15;
const TYPES = ['string', 'integer', 'number', 'boolean', 'date-time', 'date', 'uuid'] as const;
type Type = (typeof TYPES)[number];

/** A subject: its members by name, and those of its nested object. */
export interface MixedSubject {
  name: string;
  members: Record<string, Type>;
  nested: Record<string, Type>;
}

/** The subjects; the first has the fewest members. */
export function mixedSubjects(seed: number): MixedSubject[] {
  const next = random(seed);
  return Array.from({ length: SUBJECTS }, (_, index) => ({
    name: `mixed_${String(index).padStart(2, '0')}`,
    members: membersOf(2 + Math.floor(index / 2), next),
    nested: membersOf(1 + (index % 3), next),
  }));
}

function membersOf(count: number, next: () => number): Record<string, Type> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`member_${index}`, pick(next, TYPES)]));
}

/** The schema of a subject: closed, all members required. */
export function mixedSchema({ members, nested }: MixedSubject): object {
  const inner = objectOf(nested, {});
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...objectOf(members, { inner }) };
}

function objectOf(members: Record<string, Type>, more: Record<string, object>): object {
  const properties = {
    ...Object.fromEntries(Object.entries(members).map(([n, type]) => [n, schemaOf(type)])),
    ...more,
  };
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

function schemaOf(type: Type): object {
  return type === 'date-time' || type === 'date' || type === 'uuid' ? { type: 'string', format: type } : { type };
}

/** Lines with their line endings, each naming its schema; the subjects in no order. */
export function* mixedLines(subjects: readonly MixedSubject[], lines: number, seed: number): Generator<string> {
  const next = random(seed + 1);
  for (let index = 0; index < lines; index++) {
    const { name, members, nested } = pick(next, subjects);
    const event = { $schema: `${name}/1.0.0`, ...valuesOf(members, next), inner: valuesOf(nested, next) };
    yield `${JSON.stringify(event)}\n`;
  }
}

function valuesOf(members: Record<string, Type>, next: () => number): object {
  return Object.fromEntries(Object.entries(members).map(([name, type]) => [name, oneOf(type, next)]));
}

function oneOf(type: Type, next: () => number): unknown {
  switch (type) {
    case 'string':
      return `${pick(next, ['north', 'south', 'east', 'west'])} ${Math.floor(next() * 1e6)}`;
    case 'integer':
      return Math.floor(next() * 1e6);
    case 'number':
      return Math.floor(next() * 1e6) / 100;
    case 'boolean':
      return next() < 0.5;
    case 'date-time':
      return time(next);
    case 'date':
      return time(next).slice(0, 10);
    case 'uuid':
      return uuid(next);
  }
}
