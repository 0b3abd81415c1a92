/** A piece of SQL. `name` = a bare or quoted identifier, without its quotes; `text` = a string, number or heredoc. */
export type Token = { readonly kind: 'name' | 'text' | 'sign'; readonly value: string; readonly start: number; readonly end: number };

const patterns = {
  space: /\s+/y,
  comment: /--[^\n]*|#[! ][^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y,
  heredoc: /\$(\w*)\$[\s\S]*?\$\1\$/y,
  string: /'(?:[^'\\]|\\[\s\S]|'')*'/y,
  quoted: /"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/y,
  name: /[\p{L}_][\p{L}\p{N}_$]*/uy,
  number: /\d[\w.]*/y,
};

/** A quote without its end, control characters, and the typographic quotes that ClickHouse takes for quotes as well. */
const unreadable = /['"`\u2018-\u201f\p{Cc}\\]/u;

/** Splits ClickHouse SQL, without comments. null = it cannot be told apart, as when a string has no end. */
export function tokenize(sql: string): Token[] | null {
  const tokens: Token[] = [];
  let position = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(sql)?.[0] ?? null;
  };
  while (position < sql.length) {
    const start = position;
    const skipped = match(patterns.space) ?? match(patterns.comment);
    if (skipped !== null) {
      position += skipped.length;
      continue;
    }
    const text = match(patterns.heredoc) ?? match(patterns.string) ?? match(patterns.number);
    const quoted = text === null ? match(patterns.quoted) : null;
    const name = text === null && quoted === null ? match(patterns.name) : null;
    const sign = sql[position] ?? '';
    if (text === null && quoted === null && name === null && unreadable.test(sign)) return null;
    const value = text ?? quoted ?? name ?? sign;
    position += value.length;
    const kind = text !== null ? 'text' : quoted !== null || name !== null ? 'name' : 'sign';
    tokens.push({ kind, value: quoted === null ? value : unquote(quoted), start, end: position });
  }
  return tokens;
}

/** The statements of a script, without comments at their ends. */
export function splitStatements(script: string): string[] {
  const tokens = tokenize(script);
  if (tokens === null) throw new Error('A string or quoted name in the script has no end');
  const statements: string[] = [];
  let first: Token | null = null;
  let last: Token | null = null;
  for (const token of tokens) {
    if (token.kind === 'sign' && token.value === ';') {
      if (first !== null && last !== null) statements.push(script.slice(first.start, last.end));
      first = last = null;
    } else {
      first ??= token;
      last = token;
    }
  }
  if (first !== null && last !== null) statements.push(script.slice(first.start, last.end));
  return statements;
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\([\s\S])|""|``/g, (both, escaped: string | undefined) => escaped ?? both[0] ?? '');
}
