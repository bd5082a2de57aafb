// Looks for counter-examples without reasoning: small documents made of the constants, names and bounds of both
// schemas. It is the safety net under the proofs, so it must not share their code: it only evaluates.

import { accepts } from './evaluate.ts';
import type { Direction, Pair } from './pair.ts';
import { compilePattern } from './pattern.ts';
import { canonical, isObject, type JsonObject, put, typeOf } from './value.ts';

const MAX_DOCUMENTS = 400;
const MAX_POOL = 60;

/** A document that separates the schemas (as ajv sees it, when `confirmed`), if one turns up. */
export function counterExample(pair: Pair, direction: Direction, confirmed: boolean): { value: unknown } | undefined {
  const { writer, reader } = pair.roles(direction);
  // Under the lenient policy most random documents would not count.
  if (pair.lenient || pair.graph.size > 3000) return undefined;
  const pool = new Pool([writer.document.root, reader.document.root]);
  const started = performance.now();
  for (let i = 0; i < MAX_DOCUMENTS; i++) {
    if (i % 50 === 49 && performance.now() - started > 40) return undefined;
    const value = pool.document(i);
    if (!accepts(writer.root, value) || accepts(reader.root, value)) continue;
    if (!confirmed || pair.confirmed(direction, value)) return { value };
  }
  return undefined;
}

/** What both schemas talk about, and documents made of it. The same schemas give the same documents. */
class Pool {
  private readonly values = new Map<string, unknown>();
  private readonly names = new Set<string>();
  private seed = 0x2545f491;

  constructor(schemas: readonly unknown[]) {
    for (const value of [null, true, false, 0, 1, -1, 0.5, '', 'a', [], {}]) this.take(value);
    for (const schema of schemas) this.collect(schema, 0);
    this.names.add('zz');
  }

  private take(value: unknown): void {
    if (this.values.size < MAX_POOL) this.values.set(canonical(value), value);
  }

  private collect(schema: unknown, depth: number): void {
    if (typeof schema !== 'object' || schema === null || depth > 8) return;
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'properties' && isObject(value))
        for (const name of Object.keys(value).slice(0, 12)) this.names.add(name);
      if (key === 'required' && Array.isArray(value))
        for (const name of value.slice(0, 12)) this.names.add(String(name));
      if (key === 'const' || key === 'default') this.take(value);
      else if ((key === 'enum' || key === 'examples') && Array.isArray(value))
        for (const item of value.slice(0, 8)) this.take(item);
      else if (typeof value === 'number') this.around(value);
      else if (key === 'pattern' && typeof value === 'string') this.fromPattern(value);
      else this.collect(value, depth + 1);
    }
  }

  private around(value: number): void {
    for (const near of [value, value + 1, value - 1]) this.take(near);
    if (value >= 0 && value <= 64) for (const size of [value, value + 1]) this.take('a'.repeat(size));
  }

  private fromPattern(pattern: string): void {
    const plain = pattern.replace(/[\\^$.*+?()[\]{}|]/g, '');
    for (const text of [plain, 'a', 'A1', '12', 'abc']) if (compilePattern(pattern).test(text)) this.take(text);
  }

  private random(below: number): number {
    this.seed ^= this.seed << 13;
    this.seed ^= this.seed >>> 17;
    this.seed ^= this.seed << 5;
    return (this.seed >>> 0) % below;
  }

  private any(depth: number): unknown {
    const values = [...this.values.values()];
    const kind = depth > 0 ? this.random(10) : 0;
    if (kind < 5) return values[this.random(values.length)];
    if (kind < 7) return Array.from({ length: this.random(4) }, () => this.any(depth - 1));
    const names = [...this.names];
    const object: JsonObject = {};
    for (let i = this.random(Math.min(5, names.length + 1)); i > 0; i--) {
      put(object, names[this.random(names.length)]!, this.any(depth - 1));
    }
    return object;
  }

  document(index: number): unknown {
    const listed = [...this.values.values()];
    if (index < listed.length) return listed[index];
    const value = this.any(3);
    return index % 3 === 0 && typeOf(value) !== 'object' ? { [[...this.names][0]!]: value } : value;
  }
}
