// The digest of a batch: defined by bytes, independent of how rows are fed, and altered by every change of a row.
import { createHash } from 'node:crypto';
import t from 'tap';
import { batchDigest, TableDigest } from '../../src/lines/digest.ts';
import { LineRuns } from '../../src/lines/runs.ts';

type Row = [line: number, print: string];

const ROWS: Row[] = [
  [1, '0102030405060708'],
  [2, 'ffffffffffffffff'],
  [7, '8000000080000000'],
  [2_147_483_647, '0000000000000000'],
];

function digestOf(rows: readonly Row[], ...cuts: number[]): string {
  const digest = new TableDigest();
  let from = 0;
  for (const to of [...cuts, rows.length]) {
    const lines = new LineRuns();
    for (const [line] of rows.slice(from, to)) lines.append(line);
    digest.add(
      lines,
      Buffer.from(
        rows
          .slice(from, to)
          .map(([, print]) => print)
          .join(''),
        'hex',
      ),
    );
    from = to;
  }
  return digest.digest().toString('hex');
}

t.test('a table is SHA-256 over line and fingerprint of each row', async (t) => {
  const bytes = Buffer.concat(
    ROWS.map(([line, print]) => {
      const row = Buffer.alloc(12);
      row.writeInt32BE(line);
      row.write(print, 4, 'hex');
      return row;
    }),
  );
  t.equal(digestOf(ROWS), createHash('sha256').update(bytes).digest('hex'));
});

t.test('it does not matter how many rows are added at a time', async (t) => {
  const one = new TableDigest();
  for (const [line, print] of ROWS) one.addRow(line, Buffer.from(`aaaa${print}`, 'hex'), 2);
  for (const digest of [digestOf(ROWS, 1), digestOf(ROWS, 0, 2, 3), one.digest().toString('hex')])
    t.equal(digest, digestOf(ROWS));
  t.equal(one.digest().toString('hex'), digestOf(ROWS), 'asking twice changes nothing');
});

t.test(
  'a row that is missing, changed, on another line or swapped with its neighbour changes the digest',
  async (t) => {
    const [first, second, third, last] = ROWS as [Row, Row, Row, Row];
    const others: Row[][] = [
      [first, second, third],
      [first, second, [7, '8000000080000001'], last],
      [first, second, [8, third[1]], last],
      [[1, second[1]], [2, first[1]], third, last],
    ];
    const digests = [ROWS, ...others].map((rows) => digestOf(rows));
    t.equal(new Set(digests).size, digests.length);
  },
);

t.test('fingerprints that are not as many as the lines are an error', async (t) => {
  const lines = new LineRuns();
  lines.append(1);
  t.throws(() => new TableDigest().add(lines, Buffer.alloc(16)), /1 lines with 16 bytes/);
});

t.test('a batch is SHA-256 over the tables that have rows, in order of their names', async (t) => {
  const [a, b] = [digestOf(ROWS), digestOf(ROWS.slice(1))].map((hex) => Buffer.from(hex, 'hex')) as [Buffer, Buffer];
  const expected = createHash('sha256')
    .update('A\0')
    .update(b)
    .update('a\0')
    .update(a)
    .update('ä\0')
    .update(a)
    .digest('hex');
  const tables = new Map([
    ['ä', a],
    ['a', a],
    ['A', b],
    ['none', new TableDigest().digest()],
  ]);
  t.equal(batchDigest(tables)?.toString('hex'), expected);
  t.not(
    batchDigest(
      new Map([
        ['a', b],
        ['A', a],
        ['ä', a],
      ]),
    )?.toString('hex'),
    expected,
    'rows in another table',
  );
});

t.test('a batch without rows has no digest', async (t) => {
  t.equal(batchDigest(new Map()), null);
  t.equal(batchDigest(new Map([['a', new TableDigest().digest()]])), null);
});
