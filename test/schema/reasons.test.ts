// Reasons of bad events are shared between events: the differential test against ajv asked anew about each.
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import t from 'tap';
import type { LineError } from '../../src/model.ts';
import type { Bundle } from '../../src/schema/bundle.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { FORMATS } from '../../src/schema/formats.ts';
import { openVersions } from './open.ts';
import { folderOf, githubWebhooks, schemas, values } from './schemas.ts';

/** The usual way, with nothing kept from one event to the next. */
function plain({ schema, draft, namesPrototype }: Bundle): (event: unknown) => LineError[] {
  const compiled = (allErrors: boolean): ValidateFunction => {
    const all = { strict: false, strictNumbers: true, validateSchema: false, logger: false, formats: FORMATS } as const;
    const options = { ...all, allErrors, ownProperties: namesPrototype, meta: false };
    return (draft === 'draft-07' ? new Ajv(options) : new Ajv2020(options)).compile(schema);
  };
  const first = compiled(false);
  const all = compiled(true);
  return (event) => {
    if (first(event)) return [];
    return listed((all(event) ? first.errors : all.errors) ?? []);
  };
}

function listed(errors: readonly ErrorObject[]): LineError[] {
  const found = new Map<string, LineError>();
  for (const { instancePath, keyword, message, params, propertyName } of errors) {
    const name = params.additionalProperty ?? params.unevaluatedProperty ?? params.propertyName ?? propertyName;
    const path = instancePath.length > 1_000 ? `${instancePath.slice(0, 1_000)}…` : instancePath;
    const words = message ?? `must pass "${keyword}"`;
    const short = typeof name === 'string' && name.length > 100 ? `${name.slice(0, 100)}…` : name;
    const whole = typeof name === 'string' ? `${words}: ${JSON.stringify(short)}` : words;
    const key = JSON.stringify([path, keyword, whole]);
    if (!found.has(key) && found.size < 20) found.set(key, { path, keyword, message: whole });
  }
  return [...found.values()];
}

t.test('events get the reasons that each would get alone, whatever came before', async (t) => {
  let bad = 0;
  fc.assert(
    fc.property(schemas, fc.array(values, { minLength: 5, maxLength: 30 }), (schema, events) => {
      const opened = openVersions(schema);
      if (opened === null) return;
      const { accepts, explain } = opened.validators[0]!;
      const expected = plain(opened.bundles[0]!());
      for (const event of [...events, ...events]) {
        const reasons = expected(event);
        const given = accepts(event) ? [] : explain(event);
        if (JSON.stringify(given) !== JSON.stringify(reasons)) throw new Error(JSON.stringify([event, given, reasons]));
        if (given.length > 0) bad++;
      }
    }),
    { numRuns: 150 },
  );
  t.ok(bad > 300, `${bad} events were bad`);
});

t.test('so do payloads of GitHub with members that are gone, changed or too many', async (t) => {
  const { folder, payloads } = githubWebhooks();
  const registry = await loadFolder(folderOf(t, folder));
  let bad = 0;
  for (const { name, examples } of payloads.slice(0, 12)) {
    const version = registry.resolve(name);
    if (version === null) continue;
    const expected = plain(version.bundle());
    for (let round = 0; round < 2; round++) {
      for (const event of examples.slice(0, 3) as Record<string, unknown>[]) {
        for (const member of Object.keys(event)) {
          const { [member]: _, ...without } = event;
          for (const spoilt of [event, without, { ...event, [member]: 7 }, { ...event, [`${member}x`]: 1 }]) {
            const given = version.accepts(spoilt) ? [] : version.explain(spoilt);
            t.strictSame(given, expected(spoilt), `${name} ${member}`) || t.bailout();
            if (given.length > 0) bad++;
          }
        }
      }
    }
  }
  t.ok(bad > 100, `${bad} events were bad`);
});

t.test('the same reasons are the same array, and what is kept of them is bounded', async (t) => {
  const { accepts, explain } = openVersions({
    properties: { n: { type: 'integer' }, d: { format: 'date' } },
    additionalProperties: false,
  })!.validators[0]!;
  const why = (event: unknown): LineError[] => (accepts(event) ? [] : explain(event));
  const number = why({ n: 'x' });
  t.equal(why({ n: 'y' }), number);
  t.not(why({ n: 'x', d: 'x' }), number);
  t.equal(why({ n: 'y', d: 'y' }), why({ n: 'z', d: 'z' }));
  t.strictSame(why({ n: 1 }), []);
  t.equal(why({ n: true }), number, 'a good event between them changes nothing');
  for (let index = 0; index < 2_000; index++) {
    const name = `more${index}`;
    const message = `must NOT have additional properties: "${name}"`;
    t.strictSame(why({ [name]: 1 }), [{ path: '', keyword: 'additionalProperties', message }]);
  }
  t.strictSame(why({ n: 'x' }), number);
  const long = `x${'y'.repeat(300)}`;
  t.not(why({ [long]: 1 }), why({ [long]: 1 }), 'what is long is not kept');
});
