import { AppError } from '../../errors.ts';
import { tokenize, type Token } from '../../history/sql-tokens.ts';

const reading: ReadonlySet<string> = new Set(['select', 'with', 'show', 'describe', 'desc', 'explain', 'exists']);

/**
 * Functions that leave the database (files, networks, other servers, programs), that name tables in strings where the
 * check of `system` does not see them, or that tell of the server. Lower case. A test holds the list against what the
 * engine has: a table function that is neither here nor harmless fails it.
 */
const outside: ReadonlySet<string> = new Set([
  'arrowflight', 'arrowstream', 'azureblobstorage', 'azureblobstoragecluster', 'catboostevaluate', 'cluster', 'clusterallreplicas',
  'cosn', 'dictionary', 'eval', 'executable', 'file', 'filecluster', 'filesystem', 'fuzzquery', 'gcs', 'getclienthttpheader', 'getserverport',
  'getserversetting', 'hascolumnintable', 'hdfs', 'hdfscluster', 'input', 'jdbc', 'joinget', 'joingetornull', 'logtrace', 'loop', 'merge',
  'mongodb', 'mysql', 'odbc', 'oss', 'postgresql', 'prometheusquery', 'prometheusqueryrange', 'python', 'redis', 'remote', 'remotesecure', 's3',
  's3cluster', 'sqlite', 'url', 'urlcluster', 'viewexplain', 'ytsaurus',
]);
const outsideFamilies = /^(?:iceberg|deltalake|hudi|paimon|mergetree|timeseries(?:data|metrics|samples|selector|tags)$|ai(?:classify|embed|extract|generate|translate))/;
/** Scalar ones can be called without parentheses of their own: arrayMap(file, names), * APPLY(file). */
const outsideByName = /^(?:file|catboostevaluate|logtrace|ai(?:classify|embed|extract|generate\w*|translate))$/;

/**
 * The tables of `system` that clients read to find their way. The others tell what other people ask, who they are and
 * how the server is set up.
 */
const openSystemTables: ReadonlySet<string> = new Set([
  'aggregate_function_combinators', 'collations', 'columns', 'completions', 'contributors', 'data_type_families', 'databases', 'formats',
  'functions', 'keywords', 'licenses', 'numbers', 'numbers_mt', 'one', 'parts', 'primes', 'table_engines', 'table_functions', 'tables',
  'time_zones', 'zeros', 'zeros_mt',
]);

/** What may follow SHOW, and SHOW CREATE: names of things, not users, settings or processes. */
const shown: ReadonlySet<string> = new Set(['columns', 'create', 'databases', 'dictionaries', 'engines', 'extended', 'fields', 'full', 'functions', 'index', 'indexes', 'indices', 'keys', 'tables', 'temporary']);
const hiddenDefinitions: ReadonlySet<string> = new Set(['user', 'users', 'role', 'roles', 'row', 'policy', 'policies', 'quota', 'quotas', 'settings', 'profile', 'profiles', 'masking', 'access', 'named']);

/** What may follow a column that somebody has called settings. */
const clauses: ReadonlySet<string> = new Set(['and', 'as', 'asc', 'desc', 'except', 'format', 'from', 'group', 'having', 'intersect', 'into', 'is', 'join', 'like', 'limit', 'not', 'offset', 'or', 'order', 'prewhere', 'qualify', 'union', 'where', 'window', 'with']);

/**
 * Refuses, with `query_refused`, all but one reading statement that stays inside the database.
 *
 * The engine runs it with readonly = 1 as well, which stops every write, every change of settings and nearly every
 * function that reaches outside. This check is for what readonly lets through (seen with 26.7): INTO OUTFILE, the
 * scalar function file(), KILL QUERY, functions that open a connection before the rights are looked at, and the tables
 * of `system` that show other people's queries. And SETTINGS: of a subquery they are not held against readonly, not even
 * readonly = 0 itself. Parameters must have been put in before.
 */
export function checkReadOnly(sql: string): void {
  const tokens = tokenize(sql);
  if (tokens === null) throw refusal('a string, a quoted name or a comment has no end, or a character stands outside of them that begins nothing');
  while (isSign(tokens.at(-1), ';')) tokens.pop();
  const start = tokens.findIndex((token) => !isSign(token, '('));
  const first = tokens[start];
  if (first === undefined) throw refusal('it is empty');
  const verb = first.value.toLowerCase();
  if (first.kind !== 'name' || !reading.has(verb)) {
    throw refusal(`only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed, got ${first.value.slice(0, 40)}`);
  }
  if (verb === 'show') checkShow(tokens[start + 1], tokens[start + 2]);
  for (const [index, token] of tokens.entries()) {
    if (isSign(token, ';')) throw refusal('only one statement is allowed');
    if (token.kind === 'name') checkName(token, tokens[index + 1], tokens[index + 2]);
  }
}

function checkName(token: Token, next: Token | undefined, afterNext: Token | undefined): void {
  const name = token.value.toLowerCase();
  if (name === 'settings' && !token.isQuoted && next?.kind === 'name' && (!clauses.has(next.value.toLowerCase()) || isSign(afterNext, '='))) {
    throw refusal('SETTINGS are not allowed');
  }
  if (name === 'outfile') throw refusal('INTO OUTFILE is not allowed');
  if (outsideByName.test(name) || (isSign(next, '(') && (outside.has(name) || outsideFamilies.test(name)))) {
    throw refusal(`${token.value} reaches outside the database`);
  }
  if (!isSign(next, '.') || afterNext === undefined) return;
  if (name === 'system' && !openSystemTables.has(afterNext.value.toLowerCase())) throw refusal(`system.${afterNext.value.slice(0, 40)} is not open to users`);
  // Of the embedded engine, `default` shows files as tables.
  if (name === 'default' && !/^\w+$/.test(afterNext.value)) throw refusal(`default.${afterNext.value.slice(0, 40)} is a file`);
}

function checkShow(what: Token | undefined, next: Token | undefined): void {
  const name = what?.value.toLowerCase() ?? '';
  if (what?.kind !== 'name' || !shown.has(name)) throw refusal(`SHOW ${(what?.value ?? '').slice(0, 40)} is not allowed: of SHOW, only TABLES, DATABASES, CREATE, COLUMNS, INDEX, FUNCTIONS and ENGINES`);
  if (name === 'full' || name === 'extended' || name === 'temporary') checkShow(next, undefined);
  if (name === 'create' && next?.kind === 'name' && !next.isQuoted && hiddenDefinitions.has(next.value.toLowerCase())) throw refusal(`SHOW CREATE ${next.value} is not allowed`);
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function refusal(why: string): AppError {
  return new AppError('query_refused', `Cannot run the query: ${why}`);
}

/** Whether a statement of our own answers with rows. */
export function answersWithRows(sql: string): boolean {
  const first = tokenize(sql)?.find((token) => token.value !== '(');
  return first !== undefined && reading.has(first.value.toLowerCase());
}
