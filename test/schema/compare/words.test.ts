import t from 'tap';
import { automatonOf } from '../../../src/schema/compare/automaton.ts';
import { Budget } from '../../../src/schema/compare/budget.ts';
import { findWords } from '../../../src/schema/compare/words.ts';

function words(hits: RegExp[], misses: RegExp[], min = 0, max = Number.POSITIVE_INFINITY) {
  const query = { hits: hits.map(automatonOf), misses: misses.map(automatonOf), min, max };
  return findWords(query, 5, new Budget(5000));
}

t.test('inclusion of expressions is proved', async (t) => {
  for (const [inner, outer] of [
    [/^[a-z]+$/u, /^[a-z0-9]+$/u],
    [/foo/u, /o/u],
    [/^\d{3}$/u, /^\d+$/u],
    [/^a{0,3}$/u, /^(|a|aa|aaa)$/u],
    [/^[\w\-.]+$/u, /^[\p{L}\p{N}_.-]+$/u],
    [/^(?:ab|cd)*$/u, /^(?:..)*$/u],
    [/^[0-9a-f]{8}$/i, /^[0-9a-fA-F]{8}$/u],
    [/^x.y$/u, /^x[^\n]y$/u],
    [/^$/u, /^\s*$/u],
    [/\bfoo\b/u, /foo/u],
  ] as [RegExp, RegExp][]) {
    t.same(words([inner], [outer]), { words: [], complete: true }, `${inner} within ${outer}`);
  }
});

t.test('what is found is a text that tells the expressions apart', async (t) => {
  for (const [hit, miss, min, max] of [
    [/^[a-z0-9]+$/u, /^[a-z]+$/u, 0, 99],
    [/[a-z]/u, /^[a-z]/u, 0, 99],
    [/^.{1,30}$/u, /^.{1,20}$/u, 0, 99],
    [/\bfoo\b/u, /^foo$/u, 0, 99],
    [/./u, /^[ -\uFFFF]*$/u, 1, 1],
    [/^[^a]*$/u, /^[^ab]*$/u, 4, 5],
    [/K/i, /^[kK]$/u, 2, 3],
  ] as [RegExp, RegExp, number, number][]) {
    const found = words([hit], [miss], min, max);
    t.ok(found.words.length > 0, `${hit} without ${miss}`);
    for (const text of found.words) {
      t.ok(
        hit.test(text) && !miss.test(text) && [...text].length >= min && [...text].length <= max,
        JSON.stringify(text),
      );
    }
  }
});

t.test('lengths count in code points and narrow the search', async (t) => {
  t.same(words([/^\d{3}$/u], [], 4), { words: [], complete: true });
  t.same(words([/^[a-c]{2}$/u], [/^[ab]/u, /c$/u]).words, ['ca']);
});

t.test('look-around and back-references are widened and say so', async (t) => {
  t.equal(automatonOf(/^(?=a)./u).exact, false);
  t.equal(automatonOf(/^(a|b)\1$/u).exact, false);
  t.equal(automatonOf(/^[a-z]$/u).exact, true);
});
