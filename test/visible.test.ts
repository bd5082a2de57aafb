import t from 'tap';
import { visible, visibleJson, visibleLines } from '../src/visible.ts';

/** Clears the screen, rings, turns text around, ends a line for some readers, and hides. */
const NASTY = ['\u001b[2J', '\u0007', '\u009b1m', '\u007f', '\r', '\u0085', '\u2028', '\u202e', '\u2066', '\u200b'];

t.test('what steers a terminal is spelled out', async (t) => {
  t.equal(visible('a\u001b[2Jb\nc\u202ed'), 'a\\u001b[2Jb\\u000ac\\u202ed');
  t.equal(visibleLines('a\nb\r\u009b'), 'a\nb\\u000d\\u009b', 'lines that are meant stay');
  t.equal(visible('Zürich 東京 🚰 a-b "c" \\d'), 'Zürich 東京 🚰 a-b "c" \\d', 'letters stay as they are');
  for (const each of NASTY) t.notMatch(visible(`a${each}b`), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
});

t.test('JSON keeps its value and gets harmless', async (t) => {
  const value = { [`key${NASTY.join('')}`]: [`text${NASTY.join('')}`, 'Zürich 🚰'] };
  const text = visibleJson(JSON.stringify(value));
  t.same(JSON.parse(text), value);
  t.notMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  t.match(text, 'Zürich 🚰');
});
