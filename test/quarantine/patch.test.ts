// JSON Patch on lines: RFC 6902's operations, hostile places, and numbers that no double holds.
import t from 'tap';
import { parseMarked } from '../../src/lines/exact.ts';
import { Patch, type PatchStep } from '../../src/quarantine/patch.ts';

/** The line's new text, or the message why not; the patch is text, as it comes over HTTP. */
function patched(line: string, steps: string, mostBytes = 1_000_000): string | { misfit: string } {
  const patch = new Patch(parseMarked(steps) as PatchStep[], mostBytes);
  const result = patch.apply(Buffer.from(line));
  return typeof result === 'string' ? result : { misfit: result.message };
}

t.test('each operation does what RFC 6902 says', async (t) => {
  for (const [line, steps, expected] of [
    ['{"a":1}', '[]', '{"a":1}'],
    ['{"a":1}', '[{"op":"add","path":"/b","value":{"c":[]}}]', '{"a":1,"b":{"c":[]}}'],
    ['{"a":1}', '[{"op":"add","path":"/a","value":2}]', '{"a":2}'],
    ['{"a":[1,3]}', '[{"op":"add","path":"/a/1","value":2}]', '{"a":[1,2,3]}'],
    ['{"a":[1]}', '[{"op":"add","path":"/a/-","value":2}]', '{"a":[1,2]}'],
    ['{"a":[1]}', '[{"op":"add","path":"/a/1","value":2}]', '{"a":[1,2]}'],
    ['{"a":1,"b":2}', '[{"op":"remove","path":"/a"}]', '{"b":2}'],
    ['{"a":[1,2,3]}', '[{"op":"remove","path":"/a/1"}]', '{"a":[1,3]}'],
    ['{"a":null}', '[{"op":"replace","path":"/a","value":"x"}]', '{"a":"x"}'],
    ['{"a":{"b":1}}', '[{"op":"move","from":"/a/b","path":"/b"}]', '{"a":{},"b":1}'],
    ['{"a":[1,2,3]}', '[{"op":"move","from":"/a/0","path":"/a/2"}]', '{"a":[2,3,1]}'],
    [
      '{"a":{"b":1}}',
      '[{"op":"copy","from":"/a","path":"/c"},{"op":"replace","path":"/c/b","value":2}]',
      '{"a":{"b":1},"c":{"b":2}}',
    ],
    [
      '{"a":{"b":[1,{"c":2,"d":3}]}}',
      '[{"op":"test","path":"/a","value":{"b":[1,{"d":3,"c":2}]}}]',
      '{"a":{"b":[1,{"c":2,"d":3}]}}',
    ],
    [
      '{"a/b":1,"c~d":2,"":3}',
      '[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/c~0d"},{"op":"remove","path":"/"}]',
      '{}',
    ],
    ['{"~1":1,"/":2}', '[{"op":"remove","path":"/~01"}]', '{"/":2}'],
    ['{"payload":{"a":1}}', '[{"op":"move","from":"/payload","path":""}]', '{"a":1}'],
    ['[{"a":1}]', '[{"op":"copy","from":"/0","path":""}]', '{"a":1}'],
    ['{"a":1}', '[{"op":"replace","path":"","value":{"b":2}}]', '{"b":2}'],
    ['{"toString":1}', '[{"op":"remove","path":"/toString"}]', '{}'],
    ['{"a":"\\ud800","b":"ü"}', '[{"op":"add","path":"/c","value":1}]', '{"a":"\\ud800","b":"ü","c":1}'],
  ]) {
    t.equal(patched(line!, steps!), expected, `${line} ${steps}`);
  }
});

t.test('what is not there is not there, whatever JavaScript finds', async (t) => {
  for (const [line, step, misfit] of [
    ['{"a":1}', '{"op":"remove","path":"/b"}', 'there is nothing at this place'],
    ['{"a":1}', '{"op":"replace","path":"/b","value":1}', 'there is nothing at this place'],
    ['{"a":1}', '{"op":"test","path":"/b","value":null}', 'there is nothing at this place'],
    ['{"a":1}', '{"op":"test","path":"/a","value":"1"}', 'the value at this place is another one'],
    ['{"a":1}', '{"op":"copy","from":"/b","path":"/c"}', 'there is nothing at /b'],
    ['{"a":1}', '{"op":"move","from":"/b","path":"/c"}', 'there is nothing at /b'],
    ['{"a":1}', '{"op":"add","path":"/b/c","value":1}', 'there is no object and no array for it'],
    ['{"a":1}', '{"op":"add","path":"/a/b","value":1}', 'there is no object and no array for it'],
    ['{"a":"text"}', '{"op":"add","path":"/a/b","value":1}', 'there is no object and no array for it'],
    ['{"a":"text"}', '{"op":"copy","from":"/a/length","path":"/b"}', 'there is nothing at /a/length'],
    ['{"a":1}', '{"op":"replace","path":"/toString","value":1}', 'there is nothing at this place'],
    ['{"a":1}', '{"op":"copy","from":"/hasOwnProperty","path":"/b"}', 'there is nothing at /hasOwnProperty'],
    ['{"a":[1,2]}', '{"op":"remove","path":"/a/length"}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"replace","path":"/a/length","value":0}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"remove","path":"/a/2"}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"remove","path":"/a/-"}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"remove","path":"/a/01"}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"remove","path":"/a/-1"}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"test","path":"/a/1e0","value":2}', 'there is nothing at this place'],
    ['{"a":[1,2]}', '{"op":"add","path":"/a/3","value":1}', 'the index is beyond the end of the array'],
    ['{"a":[1,2]}', '{"op":"add","path":"/a/x","value":1}', 'an array has no place "x"'],
    ['{"a":[1,2]}', '{"op":"move","from":"/a/0","path":"/a/2"}', 'the index is beyond the end of the array'],
  ]) {
    t.strictSame(patched(line!, `[${step}]`), { misfit }, `${line} ${step}`);
  }
});

t.test('the first step that does not fit is the one that is told', async (t) => {
  const steps: PatchStep[] = [
    { op: 'add', path: '/b', value: 1 },
    { op: 'test', path: '/a', value: 2 },
    { op: 'remove', path: '/c' },
  ];
  t.match(new Patch(steps, 1000).apply(Buffer.from('{"a":1}')), { path: '/a', keyword: 'test' });
});

t.test('numbers keep their value, those of the line and those of the patch', async (t) => {
  const line =
    '{"big":9007199254740993,"long":0.1234567890123456789,"tiny":1e-400,"zero":-0,"text":"9007199254740993","list":[123456789012345678901]}';
  const steps = `[{"op":"add","path":"/new","value":18014398509481985},{"op":"copy","from":"/list/0","path":"/copied"},
    {"op":"move","from":"/long","path":"/moved"},{"op":"test","path":"/big","value":9007199254740993}]`;
  t.equal(
    patched(line, steps),
    '{"big":9007199254740993,"tiny":1e-400,"zero":-0,"text":"9007199254740993","list":[123456789012345678901],"new":18014398509481985,"copied":123456789012345678901,"moved":0.1234567890123456789}',
  );
  t.strictSame(
    patched('{"big":9007199254740993}', '[{"op":"test","path":"/big","value":9007199254740992}]'),
    { misfit: 'the value at this place is another one' },
    'which JSON.parse takes for equal',
  );
});

t.test('what cannot be changed is left as it is', async (t) => {
  const deep = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  const steps = '[{"op":"copy","from":"/a","path":"/b"}]';
  for (const line of ['{"a":', '', 'nonsense', deep]) t.ok(patched(line, steps) === line, line.slice(0, 20));
});

t.test('copies of copies do not fill the memory', async (t) => {
  const doubling = Array.from({ length: 60 }, (_, at) => ({ op: 'copy', from: '', path: `/copy${at}` }));
  const result = patched('{"a":"some text"}', JSON.stringify(doubling), 1_000_000);
  t.strictSame(result, { misfit: 'its copies have more than 1000000 bytes' });
});

t.test('a member __proto__ survives, or the line is refused', async (t) => {
  const line = '{"a":{"__proto__":{"x":1}},"b":1}';
  t.equal(patched(line, '[{"op":"remove","path":"/b"}]'), '{"a":{"__proto__":{"x":1}}}');
  t.equal(patched(line, '[{"op":"move","from":"/a","path":"/c"}]'), '{"b":1,"c":{"__proto__":{"x":1}}}');
  t.match(patched(line, '[{"op":"copy","from":"/a","path":"/c"}]'), { misfit: 'a member __proto__ cannot be copied' });
  t.equal(({} as { x?: number }).x, undefined);
});
