import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { sluice } from './sluice.ts';

const DAY = 86_400_000;

/** Hundred days with a quiet weekend; on the day 80 next to nothing. */
function csv(timeOf: (at: number) => string): string {
  const rows = Array.from({ length: 100 }, (_, day) => {
    const at = Date.UTC(2026, 0, 1) + day * DAY;
    const weekday = new Date(at).getUTCDay();
    const usual = (weekday % 6 === 0 ? 600 : 1000) + ((day * 37) % 41);
    return `${timeOf(at)},${day === 80 ? 3 : usual}`;
  });
  return `timestamp,value\n${rows.join('\n')}\n`;
}

const iso = (at: number) => new Date(at).toISOString();
const plain = (at: number) => iso(at).slice(0, 19).replace('T', ' ');

t.test('a series is judged, from a file, gzipped or from standard input, with times of either form', async (t) => {
  const folder = t.testdir({
    'rfc3339.csv': csv(iso),
    'plain.csv': csv(plain),
    'date.csv': csv((at) => iso(at).slice(0, 10)),
  });
  writeFileSync(join(folder, 'packed.csv.gz'), gzipSync(csv(iso)));
  const runs = [
    ...['rfc3339.csv', 'plain.csv', 'date.csv', 'packed.csv.gz'].map((name) =>
      sluice(t, ['anomalies', '--series', name], { cwd: folder }),
    ),
    sluice(t, ['anomalies', '--series', '-'], { stdin: `\uFEFF${csv(iso).replaceAll('\n', '\r\n')}` }),
    sluice(t, ['anomalies', '--series', '-'], {
      stdin: csv((at) => `"${iso(at + 7_200_000).replace('Z', '+02:00')}"`),
    }),
  ];
  for (const { code, stdout, stderr } of await Promise.all(runs)) {
    t.same([code, stderr], [0, '']);
    const { findings, notes } = JSON.parse(stdout);
    t.match(findings, [{ from: '2026-03-22T00:00:00.000Z', to: '2026-03-23T00:00:00.000Z', observed: 3 }]);
    t.equal(findings.length, 1);
    const [{ kind, severity, expected, reason }] = findings;
    t.same([kind, severity], ['zero', 'critical']);
    t.ok(expected[0] > 400 && expected[0] < expected[1] && expected[1] < 1000, `${expected}`);
    t.match(reason, `expected ${expected[0]} to ${expected[1]}, observed 3, judged by 10 Sundays since 2026-01-11`);
    t.match(notes, [/^Judged from 2026-01-29/]);
  }
});

t.test('a missing row and an empty value are unknown, not zero', async (t) => {
  const lines = csv(iso).split('\n');
  lines.splice(70, 1);
  lines[60] = `${lines[60]!.split(',')[0]},`;
  lines[80] = `${lines[80]!.split(',')[0]},NaN`;
  const { code, stdout } = await sluice(t, ['anomalies', '--series', '-'], { stdin: lines.join('\n') });
  t.equal(code, 0);
  t.same(JSON.parse(stdout).findings, []);
  t.match(JSON.parse(stdout).notes[0], '3 of 100 periods of 1 day are unknown');
});

t.test('too little history is no failure, and a note says so', async (t) => {
  for (const stdin of [
    'timestamp,value\n',
    'timestamp,value\n2026-01-01,5\n',
    csv(iso).split('\n').slice(0, 15).join('\n'),
  ]) {
    const { code, stdout } = await sluice(t, ['anomalies', '--series', '-'], { stdin });
    t.equal(code, 0);
    t.same(JSON.parse(stdout).findings, []);
    t.match(JSON.parse(stdout).notes, [/^Nothing was judged: /]);
  }
});

const broken: [what: string, stdin: string, said: string][] = [
  ['an empty file', '', '- is empty: it needs the header timestamp,value'],
  ['another header', 'time,count\n', '-: line 1 is not the header timestamp,value'],
  ['no number', 'timestamp,value\n2026-01-01,1\n2026-01-02,many\n', '-: line 3 has no number'],
  ['infinity', 'timestamp,value\n2026-01-01,1e999\n', '-: line 2 has no number'],
  ['a third column', 'timestamp,value\n2026-01-01,1,2\n', '-: line 2 has 3 columns, not 2'],
  ['no such day', 'timestamp,value\n\n2026-02-30,1\n', '-: line 3 has no time like'],
  ['no end of line', `timestamp,value\n${'1'.repeat(100_000)}`, '-: line 2 is too long'],
  [
    'a wrong century',
    'timestamp,value\n2026-01-01,1\n2026-01-02,1\n2026-01-03,1\n9026-01-04,1\n',
    'is one of the times wrong?',
  ],
];

t.test('what cannot be read is told in one line that names the place, with exit code 2', async (t) => {
  await Promise.all(
    broken.map(async ([what, stdin, said]) => {
      const { code, stdout, stderr } = await sluice(t, ['anomalies', '--series', '-'], { stdin });
      t.same([code, stdout], [2, ''], what);
      t.match(stderr, said);
      t.match(stderr, /^sluice: [^\n]*\n$/);
    }),
  );
});

t.test('a file that is not there and a broken gzip are told in one line, with exit code 2', async (t) => {
  const folder = t.testdir({});
  writeFileSync(join(folder, 'broken.csv.gz'), gzipSync(csv(iso)).subarray(0, 200));
  for (const name of ['missing.csv', 'broken.csv.gz', '.']) {
    const { code, stdout, stderr } = await sluice(t, ['anomalies', '--series', name], { cwd: folder });
    t.same([code, stdout], [2, '']);
    t.match(stderr, /^sluice: [^\n]*\n$/);
  }
});
