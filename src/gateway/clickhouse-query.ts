import { tokenize, type Token } from '../history/sql-tokens.ts';

// What ClickHouse's HTTP interface does with a query before it runs: FORMAT at its end, {name:Type} parameters. A
// statement that cannot be read stays as it is: HistoryStore refuses it.

const typeText = /^[A-Za-z][\w(), ']*$/;
/** Longer than any type: the end of a brace is not looked for through the whole statement. */
const MAX_TYPE_TOKENS = 100;

/** Takes `FORMAT x` off the end; format is null when there is none. */
export function splitFormat(sql: string): { readonly sql: string; readonly format: string | null } {
  const tokens = tokenize(sql) ?? [];
  let end = tokens.length;
  while (tokens[end - 1]?.kind === 'sign' && tokens[end - 1]?.value === ';') end--;
  const [before, word, name] = [tokens[end - 3], tokens[end - 2], tokens[end - 1]];
  const isFormat = before !== undefined && isBare(word) && word.value.toUpperCase() === 'FORMAT' && isBare(name) && /^[A-Za-z]\w{0,63}$/.test(name.value);
  return isFormat ? { sql: sql.slice(0, before.end), format: name.value } : { sql, format: null };
}

/**
 * Puts values in place of {name:Type}. A value is text in ClickHouse's own escaped form (`\N` is NULL, `\t`, `\\`...);
 * it arrives as a quoted literal that the engine casts, so it can never become SQL. Identifiers are quoted.
 * Names the first parameter without a value.
 *
 * In the text rather than bound by the engine, so that the check of the statement sees the names that it really uses:
 * {database:Identifier} can name `system` like anything else.
 */
export function bindParameters(sql: string, values: Readonly<Record<string, string | undefined>>): { readonly sql: string } | { readonly missing: string } {
  const tokens = tokenize(sql);
  if (tokens === null) return { sql };
  let bound = '';
  let taken = 0;
  for (let index = 0; index < tokens.length; index++) {
    const found = parameterAt(sql, tokens, index);
    if (found === null) continue;
    const value = Object.hasOwn(values, found.name) ? values[found.name] : undefined;
    if (value === undefined) return { missing: found.name };
    bound = spaced(bound + sql.slice(taken, tokens[index]!.start), literal(value, found.type));
    taken = tokens[found.last]!.end;
    index = found.last;
  }
  return { sql: taken === 0 ? sql : spaced(bound, sql.slice(taken)) };
}

/** Joined, with a blank where two words would become one. */
function spaced(before: string, after: string): string {
  return /\w$/.test(before) && /^\w/.test(after) ? `${before} ${after}` : before + after;
}

/** What clients ask of `system.settings` when they begin, without a row: how the server is set up is nobody's concern, and no setting can be changed here. */
const NO_SETTINGS = "(SELECT '' AS name, '' AS value, false AS changed, '' AS description, toUInt8(1) AS readonly, '' AS type, '' AS default WHERE false)";

/** Puts an empty table in the place of `system.settings`; SHOW SETTINGS stays refused. */
export function withoutSettings(sql: string): string {
  const tokens = tokenize(sql) ?? [];
  let text = '';
  let taken = 0;
  for (const [index, token] of tokens.entries()) {
    const [dot, table] = [tokens[index + 1], tokens[index + 2]];
    if (token.kind !== 'name' || token.value.toLowerCase() !== 'system' || !isSign(dot, '.') || table?.kind !== 'name' || table.value.toLowerCase() !== 'settings') continue;
    text += sql.slice(taken, token.start) + NO_SETTINGS;
    taken = table.end;
  }
  return text + sql.slice(taken);
}

type Parameter = { readonly name: string; readonly type: string; /** Index of the closing brace. */ readonly last: number };

/** `{ name : Type }`; a map like {'a': 1} is none, since no type begins with a number. */
function parameterAt(sql: string, tokens: readonly Token[], index: number): Parameter | null {
  const [open, name, colon, type] = tokens.slice(index, index + 4);
  if (!isSign(open, '{') || !isBare(name) || !isSign(colon, ':') || !isBare(type)) return null;
  let last = index + 4;
  while (last < index + MAX_TYPE_TOKENS && !isSign(tokens[last], '}')) last++;
  if (!isSign(tokens[last], '}')) return null;
  const text = sql.slice(type.start, tokens[last - 1]!.end);
  return typeText.test(text) ? { name: name.value, type: text, last } : null;
}

function isBare(token: Token | undefined): token is Token {
  return token?.kind === 'name' && !token.isQuoted;
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function literal(value: string, type: string): string {
  if (type === 'Identifier') return `\`${value.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
  // LIMIT and the like want a bare number; but a minus behind another would begin a comment.
  if (/^U?Int\d+$/.test(type) && /^\d{1,78}$/.test(value)) return value;
  if (value === '\\N') return `CAST(NULL AS ${type})`;
  return `CAST('${unescape(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}' AS ${type})`;
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', 0: '\0', a: '\x07', v: '\v' };

function unescape(value: string): string {
  return value.replace(/\\([\s\S])/g, (_, character: string) => (Object.hasOwn(escapes, character) ? escapes[character]! : character));
}
