// The table in test/hostile/README.md says where each item of the catalogue of bad input is tested: it must be true, and
// no test may be missing in it.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

const HERE = new URL('.', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, HERE), 'utf8');

const ROW = /^\| (.+) \| (.+) \| `([\w/.-]+\.test\.ts)` \| (.+) \|$/gm;
const rows = [...read('hostile/README.md').matchAll(ROW)].map(([, item, , file, title]) => {
  return { item: item!, file: file!, title: title! };
});

t.test('every item of the catalogue names a test that is there', async (t) => {
  t.ok(rows.length > 50);
  for (const { item, file, title } of rows) t.ok(read(file).includes(`'${title}'`), `${file}: ${title} (${item})`);
});

t.test('every test of hostile input stands in the table', async (t) => {
  const files = readdirSync(new URL('hostile', HERE)).filter((name) => name.endsWith('.test.ts'));
  t.equal(files.length, 9);
  for (const file of files) {
    const titles = [...read(`hostile/${file}`).matchAll(/^hostile\(\s*'([^']+)'/gm)].map(([, title]) => title);
    t.ok(titles.length > 0, file);
    for (const title of titles) {
      t.ok(
        rows.some((row) => row.file === `hostile/${file}` && row.title === title),
        `${file}: ${title}`,
      );
    }
  }
});
