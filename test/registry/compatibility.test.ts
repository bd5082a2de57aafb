import t from 'tap';
import { get } from '../helpers/http.ts';
import { clientOf, closed, integer, running, string } from './registry.ts';

t.test('the compatibility of a candidate', async (t) => {
  const { server, send, ingest } = await running(t, {
    'sale/1.0.0.json': closed({ n: integer }, 'n'),
    'sale/1.1.0.json': closed(
      { n: integer, at: { type: 'string', format: 'date-time' }, tags: { type: 'array' } },
      'n',
    ),
    'sale/1.2.0.json': closed(
      { n: integer, at: { type: 'string', format: 'date-time' }, tags: { type: 'array' }, by: closed({ id: integer }) },
      'n',
    ),
    'plain/1.0.0.json': closed({ n: integer }, 'n'),
    'plain/1.1.0.json': closed({ n: integer, m: integer }, 'n'),
    'plain/subject.json': { compatibility: 'BACKWARD' },
    'open/1.0.0.json': { type: 'object', properties: { n: integer } },
    'open/subject.json': { policy: 'lenient' },
    'old/1.0.0.json': closed({ n: integer }, 'n'),
    'old/2.0.0.json': closed({ n: string }, 'n'),
    'slow/1.0.0.json': closed({ text: string }),
  });
  const ask = (subject: string, candidate: unknown, query = '') =>
    send(`/v1/schemas/${subject}/compatibility${query}`, candidate);
  const whole = {
    n: integer,
    at: { type: 'string', format: 'date-time' },
    tags: { type: 'array' },
    by: closed({ id: integer }),
  };
  const nothing = { rows_checked: 0, rows_failing: 0, rejections_checked: 0, rejections_rescued: 0 };

  await t.test('an addition is compatible with all versions of the major', async (t) => {
    const answer = await ask('sale', closed({ ...whole, more: string }, 'n'));
    t.equal(answer.status, 200, answer.text);
    t.match(answer.json, {
      compatible: true,
      mode: 'BACKWARD_TRANSITIVE',
      against: ['1.2.0', '1.1.0', '1.0.0'],
      needed_bump: 'minor',
      stored: nothing,
    });
    t.match(answer.json.differences[0], { type: String, breaks: 'forward', against: '1.2.0', witness: { n: Number } });
    t.strictSame(Object.keys(answer.json), ['compatible', 'mode', 'against', 'needed_bump', 'differences', 'stored']);
  });

  await t.test('a break has a witness', async (t) => {
    const answer = await ask('sale', closed(whole, 'n', 'by'), '?against=1.0.0');
    t.match(answer.json, { compatible: false, against: '1.0.0', needed_bump: 'major' });
    const breaking = answer.json.differences.filter((each: { breaks: string }) => each.breaks !== 'forward');
    t.ok(breaking.every((each: object) => !('against' in each)));
    t.ok(
      breaking.some((each: object) => 'witness' in each),
      answer.text,
    );
  });

  await t.test('a mode that is asked for counts in place of the subject’s', async (t) => {
    const candidate = closed({ n: integer, m: integer, o: integer }, 'n', 'm');
    const expected: [string, string | string[], boolean][] = [
      ['NONE', '1.1.0', true],
      ['BACKWARD', '1.1.0', false],
      ['FORWARD', '1.1.0', false],
      ['FULL_TRANSITIVE', ['1.1.0', '1.0.0'], false],
    ];
    for (const [mode, against, compatible] of expected) {
      const { json } = await ask('plain', candidate, `?mode=${mode}`);
      t.strictSame([json.mode, json.against, json.compatible], [mode, against, compatible], mode);
    }
    t.match((await ask('plain', closed({ n: integer }, 'n'), '?mode=FORWARD')).json, { compatible: true });
    t.match((await ask('plain', closed({ n: integer, m: integer }, 'n'))).json, {
      compatible: true,
      mode: 'BACKWARD',
      against: '1.1.0',
      needed_bump: 'patch',
      differences: [],
    });
  });

  await t.test('the lenient policy looks at declared members only', async (t) => {
    const candidate = { type: 'object', properties: { n: integer, m: integer } };
    t.match((await ask('open', candidate)).json, { compatible: true, needed_bump: 'minor' });
  });

  await t.test('the newest major counts, unless another version is named', async (t) => {
    t.match((await ask('old', closed({ n: string }, 'n'))).json, { against: '2.0.0', needed_bump: 'patch' });
    t.match((await ask('old', closed({ n: string }, 'n'), '?against=latest')).json, { against: '2.0.0' });
    t.match((await ask('old', closed({ n: string }, 'n'), '?against=1.0.0')).json, { compatible: false });
  });

  await t.test('stored rows and rejections are held against it', async (t) => {
    await ingest('sale/1.0.0', { n: 1 }, { n: 2 });
    await ingest(
      'sale/1.2.0',
      { n: -1, at: '2026-01-02T03:04:05+01:00', tags: ['a', null], by: {} },
      { n: 3, by: { id: 1 } },
    );
    await ingest('sale/1.2.0', { n: 'x' }, { n: 1, more: 1, $schema: 'sale/1.2.0' }, { n: 1.5 });
    await ingest('old/2.0.0', { n: 'x' });
    const same = await ask('sale', closed(whole, 'n'));
    t.strictSame(same.json.stored, { rows_checked: 4, rows_failing: 0, rejections_checked: 3, rejections_rescued: 0 });
    const candidate = closed({ ...whole, n: { type: 'number', minimum: 0 }, more: integer }, 'n');
    const { json } = await ask('sale', candidate);
    t.strictSame(json.stored, { rows_checked: 4, rows_failing: 1, rejections_checked: 3, rejections_rescued: 2 });
    t.match((await ask('old', closed({ n: string }), '?against=1.0.0')).json.stored, { rows_checked: 0 });
  });

  await t.test(
    'a candidate that never ends on stored events is refused, and the server answers meanwhile',
    async (t) => {
      await ingest('slow', { text: `${'a'.repeat(60)}b` });
      const answered = ask('slow', closed({ text: { type: 'string', pattern: '^(a+)+$' } }), '?mode=NONE');
      let isPending = true;
      const done = answered.finally(() => {
        isPending = false;
      });
      let during = 0;
      for (let tries = 0; tries < 20 && isPending; tries++) {
        if ((await get(server, '/healthz')).status === 200) during++;
      }
      t.ok(during > 0);
      const answer = await done;
      t.match(answer, { status: 422, json: { code: 'invalid_schema' } }, answer.text);
      t.match((await clientOf(server).send('/v1/schemas/slow/compatibility', closed({ text: string }))).json, {
        compatible: true,
      });
    },
  );

  await t.test('what cannot be asked', async (t) => {
    const candidate = closed({ n: integer }, 'n');
    t.match(await ask('nobody', candidate), { status: 404, json: { code: 'schema_not_found' } });
    t.match(await ask('__proto__', candidate), { status: 404 });
    t.match(await ask('sale', candidate, '?against=1.9.0'), { status: 404, json: { code: 'schema_not_found' } });
    for (const query of ['?against=1', '?mode=backward', '?mode=', '?against=1.0.0&against=1.1.0', '?modus=NONE']) {
      t.match(await ask('sale', candidate, query), { status: 400, json: { code: 'invalid_parameter' } }, query);
    }
    t.match(await ask('sale', '{'), { status: 422, json: { code: 'invalid_schema' } });
    t.match(await ask('sale', { type: 'string' }), { status: 422, json: { code: 'invalid_schema' } });
  });
});
