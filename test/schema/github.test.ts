// GitHub's own webhook schemas and payloads: large, deep, full of `$ref`, `oneOf` and `allOf`.
import { Ajv, type AnySchema } from 'ajv';
import addFormats from 'ajv-formats';
import t from 'tap';
import { loadFolder } from '../../src/schema/folder.ts';
import { MAX_COLUMNS } from '../../src/schema/tree.ts';
import { folderOf, githubWebhooks } from './schemas.ts';

const github = githubWebhooks();
const registry = loadFolder(folderOf(t, github.folder));

t.test('each event is a subject whose table is not too wide', async (t) => {
  const { subjects, tables, warnings } = await registry;
  t.ok(subjects.size > 60, `${subjects.size} subjects`);
  for (const { table, columns } of tables) {
    t.ok(columns.length > 0 && columns.length <= MAX_COLUMNS, `${table}: ${columns.length} columns`);
    t.equal(new Set(columns.map(({ name }) => name)).size, columns.length, `${table}: no name twice`);
  }
  t.match(warnings[0], { file: '_shared/github.json', reason: /^unknown keyword "tsAdditionalProperties"/ });
});

t.test('columns that would clash or be too long have other names', async (t) => {
  const { columns } = (await registry).resolve('ping')!.plan;
  const nameOf = (...path: string[]) => columns.find((column) => column.path.join('/') === path.join('/'))?.name;
  t.equal(nameOf('hook_id'), 'hook_id');
  t.equal(nameOf('hook', 'id'), 'hook_id_727b3a7f');
  t.equal(nameOf('repository', 'owner', 'login'), 'repository_owner_login');
});

t.test('each payload has the verdict of ajv on the schema as it is', async (t) => {
  const ajv = new Ajv({ strict: false, logger: false });
  addFormats.default(ajv);
  ajv.addSchema(github.definitions as AnySchema, 'github');
  const seen = { accepted: 0, rejected: 0 };
  for (const { name, examples } of github.payloads) {
    const schema = (await registry).resolve(name);
    if (schema === null) continue;
    const [definition] = Object.keys((github.definitions as { definitions: object }).definitions).filter((each) =>
      [`${name}_event`, `${name}$event`].includes(each),
    );
    const validate = ajv.getSchema(`github#/definitions/${definition}`)!;
    for (const payload of examples) {
      const verdict = validate(payload) as boolean;
      seen[verdict ? 'accepted' : 'rejected']++;
      if (schema.accepts(payload) !== verdict) t.fail(`${name}: not ${verdict}`, { payload });
      // To explain is to compile once more, so not everything is explained.
      if (!verdict && seen.rejected < 10) t.ok(schema.explain(payload).length > 0, `${name}: a reason`);
    }
  }
  t.ok(seen.accepted > 200 && seen.rejected > 20, JSON.stringify(seen));
});
