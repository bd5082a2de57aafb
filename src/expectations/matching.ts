// Expectations about the text of each value: regular expressions, which are not anchored, and LIKE patterns.
import pg from 'pg';
import { type Arguments, listOf, oneOf, text } from './arguments.ts';
import { type Definition, onValues } from './definition.ts';
import { excerpt } from './literal.ts';
import { patternFault, patternNote, quoteLikePattern } from './patterns.ts';
import { demand, nameOf } from './table.ts';

/** Patterns that a message names. */
const MOST_NAMED = 10;

export const matchRegex = onRegexes('regex', ([is]) => `NOT (${is})`, 'does not match the regular expression');
export const notMatchRegex = onRegexes('regex', ([is]) => is!, 'matches the regular expression');
export const matchRegexList = onRegexes('regex_list', matchList, 'does not match the regular expressions');
export const notMatchRegexList = onRegexes(
  'regex_list',
  (each) => each.join(' OR '),
  'matches one of the regular expressions',
);

function matchList(each: readonly string[], args: { all: boolean }): string {
  return `NOT (${each.map((one) => `(${one})`).join(args.all ? ' AND ' : ' OR ')})`;
}

type Combine = (each: readonly string[], how: { all: boolean }) => string;

function onRegexes(argument: 'regex' | 'regex_list', combine: Combine, message: string): Definition {
  return onValues((args) => {
    const { sources, all } = readPatterns(args, argument, combine === matchList);
    sources.forEach((source, at) => {
      const reason = patternFault(source);
      if (reason !== undefined) args.fault(pathOf(argument, at), reason);
    });
    return (column, table) => {
      for (const [at, source] of sources.entries()) {
        const note = patternNote(source);
        if (note !== undefined) table.note(pathOf(argument, at), note);
      }
      demand(column, ['text'], 'only strings match a regular expression: this asks for the values', 'column');
      const matches = sources.map((source) => `${nameOf(column)} ~ ${pg.escapeLiteral(source)}`);
      return {
        sql: combine(matches, { all }),
        message: `${message} ${nameSources(sources)}`,
        patterns: sources.map((source, at) => ({ source, path: pathOf(argument, at) })),
      };
    };
  });
}

export const matchLike = onLike('like_pattern', ([is]) => `NOT (${is})`, 'is not like');
export const notMatchLike = onLike('like_pattern', ([is]) => is!, 'is like');
export const matchLikeList = onLike('like_pattern_list', matchList, 'is not like');
export const notMatchLikeList = onLike('like_pattern_list', (each) => each.join(' OR '), 'is like one of');

function onLike(argument: 'like_pattern' | 'like_pattern_list', combine: Combine, message: string): Definition {
  return onValues((args) => {
    const { sources, all } = readPatterns(args, argument, combine === matchList);
    const literals = sources.map((source, at) => {
      const literal = quoteLikePattern(source);
      if ('reason' in literal) args.fault(pathOf(argument, at), literal.reason);
      return 'sql' in literal ? literal.sql : '';
    });
    return (column) => {
      demand(column, ['text'], 'only strings match a pattern: this asks for the values', 'column');
      const matches = literals.map((literal) => `${nameOf(column)} LIKE ${literal}`);
      return { sql: combine(matches, { all }), message: `${message} ${nameSources(sources)}` };
    };
  });
}

function readPatterns(args: Arguments, argument: string, takesMatchOn: boolean): { sources: string[]; all: boolean } {
  const isList = argument.endsWith('_list');
  const sources = isList ? args.need(argument, listOf(text, 1)) : [args.need(argument, text)];
  const all = takesMatchOn && args.take('match_on', oneOf('any', 'all')) === 'all';
  return { sources: sources?.filter((source) => source !== undefined) ?? [], all };
}

function pathOf(argument: string, at: number): string[] {
  return argument.endsWith('_list') ? [argument, String(at)] : [argument];
}

function nameSources(sources: readonly string[]): string {
  return sources.slice(0, MOST_NAMED).map(excerpt).join(', ');
}
