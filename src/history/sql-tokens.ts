/**
 * A piece of SQL. `name` = a bare or quoted identifier, `text` = a string, number or heredoc, `sign` = one other
 * character. `value` is without the quotes of an identifier; `isQuoted` tells whether it had some.
 */
export type Token = { readonly kind: 'name' | 'text' | 'sign'; readonly value: string; readonly start: number; readonly end: number; readonly isQuoted: boolean };

const patterns = {
  space: /\s+/y,
  lineComment: /--[^\n]*|#[! ][^\n]*/y,
  heredoc: /\$(\w*)\$[\s\S]*?\$\1\$/y,
  string: /'(?:[^'\\]|\\[\s\S]|'')*'/y,
  quoted: /"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/y,
  name: /[\p{L}_][\p{L}\p{N}_$]*/uy,
  // Not beyond a point: what follows one may be a name.
  number: /\d\w*/y,
};

/**
 * A quote without its end, control characters, typographic quotes (which ClickHouse takes for quotes as well), and `$`
 * and `#` where they begin no heredoc and no comment: whoever reads them otherwise reads another statement.
 */
const unreadable = /['"`\u2018-\u201f\p{Cc}\\$#]/u;

/**
 * Splits ClickHouse SQL, without comments, as its own lexer does (seen with 26.7: comments between slashes nest).
 * null = it cannot be told apart, as when a string or a comment has no end. O(length).
 */
export function tokenize(sql: string): Token[] | null {
  const tokens: Token[] = [];
  let position = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(sql)?.[0] ?? null;
  };
  while (position < sql.length) {
    const start = position;
    if (sql.startsWith('/*', position)) {
      const end = endOfComment(sql, position);
      if (end === null) return null;
      position = end;
      continue;
    }
    const skipped = match(patterns.space) ?? match(patterns.lineComment);
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
    tokens.push({ kind, value: quoted === null ? value : unquote(quoted), start, end: position, isQuoted: quoted !== null });
  }
  return tokens;
}

/** Behind the comment that begins at `start`; one inside it must end as well. null = it has no end. */
function endOfComment(sql: string, start: number): number | null {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return null;
}

/** The statements of a script, without comments at their ends. */
export function splitStatements(script: string): string[] {
  const tokens = tokenize(script);
  if (tokens === null) throw new Error('A string, quoted name or comment in the script has no end');
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
