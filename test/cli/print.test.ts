import picocolors from 'picocolors';
import t from 'tap';
import { progressText, summaryText } from '../../src/cli/print.ts';
import type { Report } from '../../src/client/client.ts';

const plain = picocolors.createColors(false);

function report(more: Partial<Report> = {}): Report {
  return {
    batch_id: '019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50',
    status: 'promoted',
    lines: { received: 1_204, accepted: 1_200, rejected: 3, duplicate: 0, blank: 1 },
    bytes: 162_000_000,
    duration_ms: 1_234,
    schemas: { 'user_event/1.0.0': 1_200 },
    checks: [],
    causes: [],
    rejections: [],
    rejections_truncated: false,
    links: {},
    ...more,
  };
}

function cause(message: string, more: Partial<Report['causes'][number]> = {}): Report['causes'][number] {
  return {
    code: 'schema_violation',
    schema: 'user_event/1.0.0',
    path: '/a',
    keyword: 'type',
    message,
    count: 3,
    example_line: 7,
    ...more,
  };
}

t.test('a summary has the totals and one row for each cause', async (t) => {
  const causes = [
    cause('must be integer', { count: 1_000 }),
    cause('no JSON', { code: 'invalid_json', schema: null, path: '', keyword: '' }),
  ];
  t.equal(
    summaryText('events.ndjson', report({ causes }), plain),
    `events.ndjson: promoted, batch 019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50
  1,204 lines: 1,200 accepted, 3 rejected, 0 duplicate, 1 blank (162 MB, 1.2 s)

  count  code              schema            path  rule  message          example
  1,000  schema_violation  user_event/1.0.0  /a    type  must be integer  line 7
      3  invalid_json      -                 -     -     no JSON          line 7
`,
  );
});

t.test('what data says cannot steer the terminal', async (t) => {
  const text = summaryText('a\u001b[2Jb', report({ causes: [cause('\u001b]0;owned\u0007 \u202e\u2028')] }), plain);
  t.notMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}]/u);
  t.match(text, '\\u001b');
});

t.test('long words and many causes are cut', async (t) => {
  const causes = Array.from({ length: 23 }, (_, index) => cause(`${index} ${'x'.repeat(500)}`));
  const text = summaryText('-', report({ causes }), plain);
  t.match(text, 'standard input: promoted');
  t.match(text, 'and 3 more causes');
  for (const line of text.split('\n')) t.ok(line.length < 200, line);
});

t.test('held and aborted batches say why', async (t) => {
  const checks = [{ name: 'row_count_match', status: 'failed' as const, expected: 3, observed: 2 }];
  t.match(
    summaryText('a', report({ status: 'held', checks }), plain),
    'check row_count_match failed: expected 3, observed 2',
  );
  const aborted = report({ status: 'aborted', reason: 'max_rejected: more than 5 lines were rejected' });
  t.match(summaryText('a', aborted, plain), 'nothing was stored (max_rejected: more than 5 lines were rejected)');
});

t.test('the progress line fits the terminal', async (t) => {
  const sent = { name: 'events.ndjson', bytes: 1_500_000, lines: 10_000, seconds: 2, over: false, rejected: 12 };
  t.equal(
    progressText(sent, '==== 40%', 120),
    'events.ndjson ==== 40% | 1.50 MB | 10K lines | 5K lines/s | 12 rejected so far',
  );
  t.equal(
    progressText({ ...sent, over: true, lines: undefined }, '', 120),
    'events.ndjson | 1.50 MB | waiting for the answer | 12 rejected so far',
  );
  t.equal([...progressText(sent, '====', 30)].length, 29);
});
