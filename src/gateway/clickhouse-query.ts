// What ClickHouse's HTTP interface does with a query before it runs: FORMAT at its end, {name:Type} parameters.

/** Pieces of SQL that are looked into, and those that are not: comments, strings and quoted names stay as they are. */
const opaque = /--[^\n]*|#[! ][^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/y;
const parameter = /\{\s*([A-Za-z_]\w*)\s*:\s*([A-Za-z][\w(), ']*?)\s*\}/y;
const formatAtEnd = /\bFORMAT\s+([A-Za-z]\w{0,63})[\s;]*$/i;

/** Takes `FORMAT x` off the end; format is null when there is none. */
export function splitFormat(sql: string): { readonly sql: string; readonly format: string | null } {
  const plain = withoutTrailingComments(sql);
  const match = formatAtEnd.exec(plain);
  // A string that ends the statement cannot match: nothing but blanks and `;` may follow the name.
  return match === null ? { sql, format: null } : { sql: plain.slice(0, match.index).trimEnd(), format: match[1]! };
}

/**
 * Puts values in place of {name:Type}. A value is text in ClickHouse's own escaped form (`\N` is NULL, `\t`, `\\`...);
 * it arrives as a quoted literal that the engine casts, so it can never become SQL. Identifiers are quoted.
 * Names the first parameter without a value.
 */
export function bindParameters(sql: string, values: Readonly<Record<string, string | undefined>>): { readonly sql: string } | { readonly missing: string } {
  let bound = '';
  let position = 0;
  while (position < sql.length) {
    opaque.lastIndex = position;
    const skipped = opaque.exec(sql)?.[0];
    if (skipped !== undefined) {
      bound += skipped;
      position += skipped.length;
      continue;
    }
    parameter.lastIndex = position;
    const found = parameter.exec(sql);
    if (found === null) {
      bound += sql[position];
      position++;
      continue;
    }
    const [whole, name, type] = found as unknown as [string, string, string];
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) return { missing: name };
    bound += literal(value, type);
    position += whole.length;
  }
  return { sql: bound };
}

function literal(value: string, type: string): string {
  if (type === 'Identifier') return `\`${value.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
  // LIMIT and the like want a bare number.
  if (/^U?Int\d+$/.test(type) && /^-?\d{1,78}$/.test(value)) return value;
  if (value === '\\N') return `CAST(NULL AS ${type})`;
  return `CAST('${unescape(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}' AS ${type})`;
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', 0: '\0', a: '\x07', v: '\v' };

function unescape(value: string): string {
  return value.replace(/\\([\s\S])/g, (_, character: string) => escapes[character] ?? character);
}

/** Cuts comments and blanks off the end, where a FORMAT could hide before them. */
function withoutTrailingComments(sql: string): string {
  let end = 0;
  let position = 0;
  while (position < sql.length) {
    opaque.lastIndex = position;
    const skipped = opaque.exec(sql)?.[0];
    if (skipped !== undefined) {
      position += skipped.length;
      if (!/^(?:--|#|\/\*)/.test(skipped)) end = position;
      continue;
    }
    if (!/\s/.test(sql[position]!)) end = position + 1;
    position++;
  }
  return sql.slice(0, end);
}
