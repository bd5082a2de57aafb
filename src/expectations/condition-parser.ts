// Tokens of a row condition → what it says. Recursive descent, one method a rule:
//
//   either     = both { ("or" | "|" | "||") both }
//   both       = one { ("and" | "&" | "&&") one }
//   one        = "(" either ")" | operand ( "." method "(" ")" | comparator operand | ["not"] "in" list )
//   operand    = column | string | number | True | False | date(string)
//   column     = col("name") in the grammar of Great Expectations; name or `name` in that of pandas
//
// Great Expectations' own grammar is one comparison (great_expectations/expectations/legacy_row_conditions.py): what
// follows it is not read there, though users write it. DataFrame.query gives & and | the precedence of and and or
// (https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.query.html), and so does this.
import { type Dialect, type Token, tokenize } from './condition-tokens.ts';
import {
  type Condition,
  ConditionFault,
  excerpt,
  isComparator,
  type Literal,
  MOST_LEVELS,
  type Operand,
} from './condition-tree.ts';

/** What is told to whoever wrote something else. */
const UNDERSTOOD: Readonly<Record<Dialect, string>> = {
  great_expectations: 'col("x") == 5 (or !=, <, <=, >, >=), col("x").notNull(), joined by and, or and parentheses',
  pandas: 'x == 5 (or !=, <, <=, >, >=), x in [1, 2], x.isnull(), x.notnull(), joined by and, or and parentheses',
};

/** Methods by their name in small letters, which is how Great Expectations reads its own one. */
const METHODS: Readonly<Record<string, { isNull: boolean }>> = {
  notnull: { isNull: false },
  notna: { isNull: false },
  isnull: { isNull: true },
  isna: { isNull: true },
};
const OR = new Set(['or', '|', '||']);
const AND = new Set(['and', '&', '&&']);
const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['True', true],
  ['true', true],
  ['False', false],
  ['false', false],
]);
const NULLS = new Set(['None', 'null', 'NULL', 'nan', 'NaN']);

/**
 * Reads a condition.
 * @throws {ConditionFault}
 */
export function readText(text: string, dialect: Dialect): Condition {
  return new Parser(tokenize(text, dialect), dialect).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #dialect: Dialect;
  #next = 0;

  constructor(tokens: readonly Token[], dialect: Dialect) {
    this.#tokens = tokens;
    this.#dialect = dialect;
  }

  parse(): Condition {
    const condition = this.#either(0);
    if (this.#token.kind !== 'end') throw this.#unexpected('and, or or the end');
    return condition;
  }

  #either(level: number): Condition {
    return this.#joined('or', OR, () => this.#joined('and', AND, () => this.#one(level)));
  }

  #joined(kind: 'and' | 'or', signs: ReadonlySet<string>, read: () => Condition): Condition {
    const conditions = [read()];
    while (this.#isOneOf(signs)) {
      this.#next++;
      conditions.push(read());
    }
    return conditions.length === 1 ? conditions[0]! : { kind, conditions };
  }

  #one(level: number): Condition {
    if (!this.#takes('(')) return this.#simple();
    if (level === MOST_LEVELS) throw new ConditionFault(`parentheses are nested deeper than ${MOST_LEVELS} levels`);
    const condition = this.#either(level + 1);
    this.#expect(')');
    return condition;
  }

  #simple(): Condition {
    const left = this.#operand();
    if (this.#is('.')) return this.#method(left);
    const isNegated = this.#dialect === 'pandas' && this.#takes('not');
    if (this.#dialect === 'pandas' && this.#takes('in')) {
      return { kind: 'membership', of: left, values: this.#list(), isNegated };
    }
    if (isNegated) throw this.#unexpected('in');
    return this.#comparison(left);
  }

  /** Python reads `1 < x < 5` as both of its comparisons. */
  #comparison(first: Operand): Condition {
    const conditions: Condition[] = [];
    let left = first;
    do {
      const { text: operator } = this.#token;
      if (this.#token.kind !== 'sign' || !isComparator(operator)) throw this.#unexpected('==, !=, <, <=, > or >=');
      this.#next++;
      const right = this.#operand();
      conditions.push({ kind: 'comparison', left, operator, right });
      left = right;
    } while (this.#dialect === 'pandas' && this.#token.kind === 'sign' && isComparator(this.#token.text));
    return conditions.length === 1 ? conditions[0]! : { kind: 'and', conditions };
  }

  #method(of: Operand): Condition {
    this.#expect('.');
    const name = this.#token.kind === 'word' ? this.#token.text.toLowerCase() : '';
    const known = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
    if (known === undefined || of.kind !== 'column') throw this.#unexpected('a column with .notNull() or .isNull()');
    this.#next++;
    this.#expect('(');
    this.#expect(')');
    return { kind: 'nullity', column: of.name, isNull: known.isNull };
  }

  /** Values in square brackets or in parentheses. */
  #list(): Literal[] {
    const close = this.#takes('(') ? ')' : ']';
    if (close === ']') this.#expect('[');
    const values: Literal[] = [];
    while (!this.#is(close)) {
      const value = this.#operand();
      if (value.kind === 'column')
        throw new ConditionFault(`a list has values in it, not the column ${excerpt(value.name)}`);
      values.push(value);
      if (!this.#takes(',')) break;
    }
    this.#expect(close);
    return values;
  }

  #operand(): Operand {
    const token = this.#token;
    if (token.kind === 'string' || token.kind === 'number') {
      this.#next++;
      return { kind: token.kind, text: token.text };
    }
    if (token.kind === 'quoted' && this.#dialect === 'pandas') {
      this.#next++;
      return { kind: 'column', name: token.text };
    }
    if (token.kind !== 'word') throw this.#unexpected('a column or a value');
    return this.#word(token.text);
  }

  #word(text: string): Operand {
    const truth = TRUTHS.get(text);
    const isCall = this.#tokens[this.#next + 1]?.text === '(' && this.#tokens[this.#next + 1]?.kind === 'sign';
    if (this.#dialect === 'great_expectations' && isCall && (text === 'col' || text === 'date')) {
      this.#next += 2;
      const inner = this.#quotation();
      this.#expect(')');
      // Great Expectations compares with what stands in date(), as it stands there.
      return text === 'col' ? { kind: 'column', name: inner } : { kind: 'string', text: inner };
    }
    if (truth !== undefined) {
      this.#next++;
      return { kind: 'boolean', value: truth };
    }
    if (NULLS.has(text)) throw this.#fault(`${text} compares with nothing: ask with .isNull() or .notNull()`);
    if (text.toLowerCase() === 'not') throw this.#fault('not is not understood here');
    if (isCall) throw this.#fault(`the function ${excerpt(text)} is not understood`);
    if (this.#dialect === 'great_expectations') throw this.#unexpected('col("…") or a value');
    this.#next++;
    return { kind: 'column', name: text };
  }

  #quotation(): string {
    const { kind, text } = this.#token;
    if (kind !== 'string') throw this.#unexpected('a name in quotes');
    this.#next++;
    return text;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  #is(text: string): boolean {
    const { kind, text: found } = this.#token;
    return (kind === 'sign' && found === text) || (kind === 'word' && found.toLowerCase() === text);
  }

  #isOneOf(texts: ReadonlySet<string>): boolean {
    const { kind, text } = this.#token;
    return (kind === 'sign' || kind === 'word') && texts.has(text.toLowerCase());
  }

  #takes(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw this.#unexpected(excerpt(text));
  }

  #unexpected(wanted: string): ConditionFault {
    const { kind, text } = this.#token;
    return this.#fault(`expected ${wanted}, found ${kind === 'end' ? 'the end' : excerpt(text)}`);
  }

  #fault(reason: string): ConditionFault {
    return new ConditionFault(`at character ${this.#token.at}: ${reason}; understood is ${UNDERSTOOD[this.#dialect]}`);
  }
}
