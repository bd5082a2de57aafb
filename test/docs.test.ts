// What the documents say of the tests and of the packages is so.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');

t.test('every test that the threat model names is there', async (t) => {
  const text = read('docs/threat-model.md');
  const rows = text.split('\n').filter((line) => line.startsWith('|') && line.includes('`test/'));
  t.ok(rows.length > 20);
  for (const row of rows) {
    const [, file, title] = /`(test\/[\w./-]+\.test\.ts)`: (.+?) \|$/.exec(row) ?? [];
    t.ok(title, row);
    if (title === undefined || !t.ok(existsSync(`${ROOT}${file}`), `${file} exists`)) continue;
    const titles = [...read(file!).matchAll(/\b(?:t\.test|hostile)\(\s*(['"`])(.+?)\1,/g)].map(([, , each]) => each);
    t.ok(titles.includes(title), `${file} has the test: ${title}`);
  }
  for (let risk = 1; risk <= 10; risk++) t.match(text, `| [API${risk}](https://owasp.org/API-Security/`);
});

t.test('the documents name each other as they are', async (t) => {
  for (const file of ['README.md', 'SECURITY.md', 'docs/threat-model.md']) {
    for (const [, target] of read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const path = new URL(target!, `file:///${file}`).pathname.slice(1);
      t.ok(existsSync(`${ROOT}${path}`), `${file} → ${path}`);
    }
  }
});

t.test('the bill of materials names every package that the server runs with', async (t) => {
  const command = ['run', '--silent', 'sbom'];
  const { stdout } = await promisify(execFile)('npm', command, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  const bom = JSON.parse(stdout);
  t.equal(bom.bomFormat, 'CycloneDX');
  const named = new Set<string>(bom.components.map((each: Record<string, string>) => decodeURIComponent(each.purl!)));
  t.ok(bom.components.length > 80);
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  const { packages } = JSON.parse(read('package-lock.json'));
  for (const name of Object.keys(dependencies)) {
    t.ok(named.has(`pkg:npm/${name}@${packages[`node_modules/${name}`].version}`), name);
  }
  for (const name of ['tap', 'typescript', '@biomejs/biome']) {
    t.ok(devDependencies[name]);
    t.notOk(stdout.includes(`"pkg:npm/${name}@`), `${name} is for development only`);
  }
});
