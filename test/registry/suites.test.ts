// Checks beside the schemas of a running server: shown, changed by a reload, and kept fitting by registrations.
import { existsSync } from 'node:fs';
import t from 'tap';
import { get } from '../helpers/http.ts';
import { closed, integer, running, string } from './registry.ts';

const notNull = (column: string, meta?: object) => {
  return { type: 'expect_column_values_to_not_be_null', kwargs: { column }, ...(meta && { meta }) };
};
const suite = (...expectations: object[]) => ({ expectations });

t.test('checks of a subject', async (t) => {
  const { server, path, write, remove, send, register } = await running(t, {
    'sale/1.0.0.json': closed({ n: integer, s: string }),
    'sale/expectations.json': suite(notNull('n', { severity: 'warn' }), notNull('s')),
    'visit/1.0.0.json': closed({ page: string }),
  });
  const checks = async (subject = 'sale') => (await get(server, `/v1/schemas/${subject}`)).json.checks;
  const reload = () => send('/v1/schemas/reload');

  await t.test('are shown with their subject', async (t) => {
    t.strictSame(await checks(), [
      { name: 'expect_column_values_to_not_be_null', severity: 'warn', kwargs: { column: 'n' } },
      { name: 'expect_column_values_to_not_be_null', severity: 'hold', kwargs: { column: 's' } },
    ]);
    t.strictSame(await checks('visit'), []);
  });

  await t.test('a broken suite never replaces a working one', async (t) => {
    write('sale/expectations.json', suite(notNull('n'), notNull('nowhere')));
    write('visit/expectations.json', '{"expectations": [');
    const answer = await reload();
    t.match(answer, { status: 422, json: { code: 'invalid_schema_folder' } }, answer.text);
    const files = answer.json.faults.map(({ file, place }: { file: string; place: string }) => `${file} ${place}`);
    t.same(files.sort(), ['sale/expectations.json /expectations/1/kwargs/column', 'visit/expectations.json 1:19']);
    t.equal((await checks()).length, 2);
    remove('visit/expectations.json');
  });

  await t.test(
    'a regular expression that Postgres cannot run is a fault of the folder, in the words of Postgres',
    async (t) => {
      const regex = (text: string) => ({
        type: 'expect_column_values_to_match_regex',
        kwargs: { column: 's', regex: text },
      });
      write(
        'sale/expectations.json',
        suite(regex('^a+$'), regex('(a'), regex('a{2,1}'), regex('((((a{255}){255}){255}){255})')),
      );
      const answer = await reload();
      t.match(answer, { status: 422, json: { code: 'invalid_schema_folder' } }, answer.text);
      const place = (at: number) => `/expectations/${at}/kwargs/regex`;
      t.match(answer.json.faults, [
        { file: 'sale/expectations.json', place: place(1), reason: /invalid regular expression: parentheses/ },
        { file: 'sale/expectations.json', place: place(2), reason: /invalid regular expression: invalid repetition/ },
        { file: 'sale/expectations.json', place: place(3), reason: /regular expression/ },
      ]);
      t.equal(answer.json.faults.length, 3);
      t.equal((await checks()).length, 2);
    },
  );

  await t.test('they are not frozen: a reload takes whatever they are now', async (t) => {
    write('sale/expectations.json', suite(notNull('s', { severity: 'reject_rows' })));
    t.equal((await reload()).status, 200);
    t.match(await checks(), [{ severity: 'reject_rows', kwargs: { column: 's' } }]);
    remove('sale/expectations.json');
    t.equal((await reload()).status, 200);
    t.strictSame(await checks(), []);
    write('sale/expectations.json', suite(notNull('s')));
    t.equal((await reload()).status, 200);
  });

  const without = closed({ n: integer });

  await t.test('a version that a check would not fit any more is refused, with the check', async (t) => {
    for (const version of [undefined, '2.0.0']) {
      const answer = await register('sale', without, version);
      t.match(answer, { status: 422, json: { code: 'invalid_schema_folder' } }, answer.text);
      t.match(answer.json.faults, [
        { file: 'sale/expectations.json', place: '/expectations/0/kwargs/column', reason: /"?s"?/ },
      ]);
    }
    t.notOk(existsSync(`${path}/sale/2.0.0.json`));
    t.strictSame((await get(server, '/v1/schemas/sale')).json.versions, ['1.0.0']);
  });

  await t.test('but schemas are compared without them', async (t) => {
    const answer = await send('/v1/schemas/sale/compatibility', without);
    t.match(answer, { status: 200, json: { compatible: false, needed_bump: 'major' } }, answer.text);
    const dishonest = await register('sale', without, '1.1.0');
    t.match(dishonest, { status: 409, json: { code: 'incompatible_schema' } }, dishonest.text);
  });

  await t.test('with another check it is registered, and what is not its fault is told apart', async (t) => {
    write('sale/expectations.json', suite(notNull('x')));
    const broken = await register('sale', closed({ n: integer, s: string, x: { type: 'strng' } }));
    t.match(broken, { status: 422, json: { code: 'invalid_schema_folder' } }, 'the folder itself is broken');
    write('sale/expectations.json', suite(notNull('n')));
    const wrong = await register('sale', { type: 'strng' });
    t.match(wrong, { status: 422, json: { code: 'invalid_schema' } }, wrong.text);
    t.match((await register('sale', without)).json, { version: '2.0.0', status: 'registered' });
    t.match(await checks(), [{ kwargs: { column: 'n' } }], 'the suite as it is now');
  });
});
