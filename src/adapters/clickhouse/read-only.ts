import { AppError } from '../../errors.ts';
import { tokenize } from './tokens.ts';

const reading: ReadonlySet<string> = new Set(['select', 'with', 'show', 'describe', 'desc', 'explain', 'exists']);

/** Functions that leave the database: files, networks, other servers, programs. Lower case. */
const outside: ReadonlySet<string> = new Set([
  'arrowflight', 'arrowstream', 'azureblobstorage', 'azureblobstoragecluster', 'catboostevaluate', 'cluster', 'clusterallreplicas',
  'cosn', 'eval', 'executable', 'file', 'filecluster', 'filesystem', 'gcs', 'hdfs', 'hdfscluster', 'input', 'jdbc', 'mongodb', 'mysql',
  'odbc', 'oss', 'postgresql', 'prometheusquery', 'prometheusqueryrange', 'python', 'redis', 'remote', 'remotesecure', 's3', 's3cluster',
  'sqlite', 'url', 'urlcluster', 'ytsaurus',
]);
const outsideFamilies = /^(?:iceberg|deltalake|hudi|paimon|ai(?:classify|embed|extract|generate|translate))/;
/** Scalar ones can be called without parentheses of their own: arrayMap(file, names), * APPLY(file). */
const outsideByName = /^(?:file|catboostevaluate|ai(?:classify|embed|extract|generate\w*|translate))$/;

/**
 * Refuses, with `query_refused`, all but one reading statement that stays inside the database.
 *
 * The engine runs it with readonly = 1 as well, which stops every write, every change of settings and nearly every
 * function that reaches outside. This check is for what readonly lets through (seen with 26.7): INTO OUTFILE, the
 * scalar function file(), KILL QUERY, and functions that open a connection before the rights are looked at.
 */
export function checkReadOnly(sql: string): void {
  const refuse = (why: string): AppError => new AppError('query_refused', `Cannot run the query: ${why}`);
  const tokens = tokenize(sql);
  if (tokens === null) throw refuse('a string or a quoted name has no end, or a control character or typographic quote stands outside of one');
  while (tokens.at(-1)?.value === ';' && tokens.at(-1)?.kind === 'sign') tokens.pop();
  const start = tokens.find((token) => token.value !== '(');
  if (start === undefined) throw refuse('it is empty');
  if (start.kind !== 'name' || !reading.has(start.value.toLowerCase())) {
    throw refuse(`only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed, got ${start.value.slice(0, 40)}`);
  }
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (token.kind === 'sign' && token.value === ';') throw refuse('only one statement is allowed');
    if (token.kind !== 'name') continue;
    const name = token.value.toLowerCase();
    if (name === 'outfile') throw refuse('INTO OUTFILE is not allowed');
    if (outsideByName.test(name) || (next?.value === '(' && (outside.has(name) || outsideFamilies.test(name)))) {
      throw refuse(`${token.value} reaches outside the database`);
    }
  }
}

/** Whether a statement of our own answers with rows. */
export function answersWithRows(sql: string): boolean {
  const first = tokenize(sql)?.find((token) => token.value !== '(');
  return first !== undefined && reading.has(first.value.toLowerCase());
}
