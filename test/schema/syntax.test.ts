import fc from 'fast-check';
import t from 'tap';
import { syntaxErrorAt } from '../../src/schema/syntax.ts';

t.test('the error is where JSON.parse has it', async (t) => {
  let compared = 0;
  const damage = fc.constantFrom('', ',', '}', ']', '"', '1', ':', '{', '[', 'true', ' ', '\n');
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(), damage, fc.nat(2), (json, where, put, out) => {
      const at = where % (json.length + 1);
      const text = json.slice(0, at) + put + json.slice(at + out);
      const found = syntaxErrorAt(text);
      try {
        JSON.parse(text);
      } catch (error) {
        // Inside a word, a number or a string Node names the character, we its beginning.
        const position = /^(?!Unterminated|Bad|Exponent|No number).* position (\d+)/.exec((error as Error).message);
        if (position === null) return;
        compared++;
        const token = /^["\w.+-]*/.exec(text.slice(found))![0];
        if (Number(position[1]) < found || Number(position[1]) > found + token.length)
          throw new Error(`${found}: ${error}`);
        return;
      }
      if (found !== text.length) throw new Error(`${found}, but it is JSON`);
    }),
    { numRuns: 3_000 },
  );
  t.ok(compared > 100, `${compared} compared`);
});

t.test('very deep and very long texts are no problem', async (t) => {
  t.equal(syntaxErrorAt('['.repeat(1_000_000)), 1_000_000);
  t.equal(syntaxErrorAt(`[${'1,'.repeat(500_000)}]`), 1_000_001);
  t.equal(syntaxErrorAt(`"${'x'.repeat(3_000_000)}`), 0);
});
