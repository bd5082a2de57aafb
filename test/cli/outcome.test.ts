import t from 'tap';
import { exitCodeOf } from '../../src/cli/outcome.ts';
import type { Report } from '../../src/client/client.ts';

const fates: [status: Report['status'], rejected: number, code: number][] = [
  ['promoted', 0, 0],
  ['promoted', 1, 1],
  ['dry_run', 0, 0],
  ['dry_run', 1, 1],
  ['held', 0, 1],
  ['rejected', 2, 2],
  ['aborted', 2, 2],
  ['discarded', 0, 2],
  ['undone', 0, 2],
];

for (const [status, rejected, code] of fates) {
  t.test(`a batch that is ${status} with ${rejected} lines rejected exits with ${code}`, async (t) => {
    const report = {
      status,
      lines: { received: 2, accepted: 2 - rejected, rejected, duplicate: 0, blank: 0 },
    } as Report;
    t.equal(exitCodeOf({ report }), code);
  });
}

t.test('a file without a report exits with 2', async (t) => {
  t.equal(exitCodeOf({ error: 'there is no such file' }), 2);
});
