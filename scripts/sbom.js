// `npm run sbom`: the packages that the server runs with, as CycloneDX on standard output. It is npm's own bill, without
// what is for development only. npm's `--omit dev` is of no use for that: it leaves out what development needs too.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8'));
const needed = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { name, version }]) => `${name ?? path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`),
);

const bill = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  }),
);
const isNeeded = (reference) => reference === bill.metadata.component['bom-ref'] || needed.has(reference);
bill.components = bill.components.filter((each) => isNeeded(each['bom-ref']));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => isNeeded(ref))
  .map((each) => ({ ...each, dependsOn: each.dependsOn?.filter(isNeeded) }));
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
