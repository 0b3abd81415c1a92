import { request } from './http.ts';

export type Parameters = Readonly<Record<string, string | number>>;

/** Rows of a reading statement; `{name:Type}` in it stand for the parameters. Throws ApiError. */
export async function queryRows<Row>(sql: string, parameters: Parameters = {}): Promise<Row[]> {
  const answer = await request(`/clickhouse/?${searchOf(parameters, 'JSON')}`, { method: 'POST', body: sql, type: 'text/plain' });
  return (await answer.json() as { data: Row[] }).data;
}

/** The same as a CSV file. */
export async function queryCsv(sql: string, parameters: Parameters): Promise<Blob> {
  return await (await request(`/clickhouse/?${searchOf(parameters, 'CSVWithNames')}`, { method: 'POST', body: sql, type: 'text/plain' })).blob();
}

function searchOf(parameters: Parameters, format: string): string {
  const search = new URLSearchParams({ default_format: format });
  // As ClickHouse reads them: escaped text.
  for (const [name, value] of Object.entries(parameters)) search.set(`param_${name}`, String(value).replace(/[\\\t\n\r]/g, (found) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[found]!));
  return search.toString();
}
