import { useState } from 'preact/hooks';
import { queryCsv, queryRows, type Parameters } from '../api/sql.ts';
import { ApiError } from '../api/http.ts';
import { useQuery } from '../api/use-query.ts';
import { likePattern } from '../../bridge/frames.ts';
import { Empty, Failure, Loading } from '../parts/notices.tsx';
import { useNow } from '../parts/use-now.ts';
import { Wide } from '../parts/wide.tsx';
import { raceLink, replaceSearch, sourceLink } from '../routes.ts';
import { useSettings } from '../settings.ts';
import { clockTime, spell } from '../words.ts';

type Row = { race_id: string; source: string; title: string; outcome: string; attempt: number; completed_at_ms: number | string; duration_sec: number; first_eta_sec: number | null };
type Wanted = { readonly source: string; readonly title: string; readonly outcome: string; readonly days: string };

const PAGE = 100;
const outcomes = ['passed', 'failed', 'canceled', 'abandoned'];
const spans: Readonly<Record<string, string>> = { 1: 'last day', 7: 'last 7 days', 30: 'last 30 days', 365: 'last year', all: 'all' };

/** Finished races by source, time and outcome. */
export function HistoryPage({ search }: { readonly search: URLSearchParams }) {
  const [wanted, setWanted] = useState<Wanted>({ source: search.get('source') ?? '', title: search.get('title') ?? '', outcome: search.get('outcome') ?? '', days: search.get('days') ?? '30' });
  const [page, setPage] = useState(0);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const { sql, parameters } = statementOf(wanted);
  const answer = useQuery(JSON.stringify([wanted, page]), () => queryRows<Row>(`${sql} LIMIT ${PAGE + 1} OFFSET ${page * PAGE}`, parameters));
  const sources = useQuery('sources', () => queryRows<{ source: string }>('SELECT source FROM v_source_stats GROUP BY source ORDER BY sum(races) DESC LIMIT 500'));
  const change = (part: Partial<Wanted>): void => {
    const next = { ...wanted, ...part };
    setWanted(next);
    setPage(0);
    replaceSearch('history', new URLSearchParams(Object.entries(next).filter(([, value]) => value !== '')));
  };
  const save = async (): Promise<void> => {
    try {
      setFailure(null);
      const blob = await queryCsv(`${sql} LIMIT 100000`, parameters);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = 'races.csv';
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      setFailure(error instanceof ApiError ? error : new ApiError(0, 'failed', String(error)));
    }
  };
  const rows = answer.data ?? [];
  return (
    <main id="main">
      <h1>History</h1>
      <form class="tools" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>Source <input list="sources" value={wanted.source} placeholder="any; * for any characters" onChange={(event) => change({ source: event.currentTarget.value })} /></label>
        <datalist id="sources">{(sources.data ?? []).map(({ source }) => <option key={source} value={source} />)}</datalist>
        <label>Title has <input value={wanted.title} onChange={(event) => change({ title: event.currentTarget.value })} /></label>
        <label>Outcome <select value={wanted.outcome} onChange={(event) => change({ outcome: event.currentTarget.value })}><option value="">any</option>{outcomes.map((name) => <option key={name}>{name}</option>)}</select></label>
        <label>Ended <select value={wanted.days} onChange={(event) => change({ days: event.currentTarget.value })}>{Object.entries(spans).map(([days, words]) => <option key={days} value={days}>{words}</option>)}</select></label>
        <button type="button" onClick={() => void save()}>Export CSV</button>
      </form>
      {failure !== null && <Failure error={failure} />}
      {answer.error !== null && <Failure error={answer.error} again={answer.again} />}
      {answer.isLoading && <Loading what="races" />}
      {answer.error === null && !answer.isLoading && rows.length === 0 && <Empty title="No finished race fits"><p>Widen the time or drop a filter. What runs now is under <a href="#/">Live</a>.</p></Empty>}
      {rows.length > 0 && (
        <>
          <Wide label="Finished races"><table><thead><tr><th>ended</th><th>outcome</th><th>title</th><th>source</th><th>took</th><th>first said</th></tr></thead>
            <tbody>{rows.slice(0, PAGE).map((row) => (
              <tr key={`${row.race_id} ${row.attempt}`}>
                <td>{clockTime(Number(row.completed_at_ms), nowMs, timeZone, true)}</td><td><span class={`pill is-${row.outcome}`}>{row.outcome}</span></td>
                <td><a href={raceLink(row.race_id)}>{row.title}</a></td><td><a href={sourceLink(row.source)}>{row.source}</a></td>
                <td>{spell(row.duration_sec)}</td><td>{row.first_eta_sec === null ? '–' : spell(row.first_eta_sec)}</td>
              </tr>
            ))}</tbody></table></Wide>
          <nav class="pages" aria-label="Pages"><button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>Newer</button><span>page {page + 1}</span><button type="button" disabled={rows.length <= PAGE} onClick={() => setPage(page + 1)}>Older</button></nav>
        </>
      )}
    </main>
  );
}

function statementOf({ source, title, outcome, days }: Wanted): { readonly sql: string; readonly parameters: Parameters } {
  const parameters: Record<string, string | number> = {};
  const conditions: string[] = [];
  if (source !== '') {
    conditions.push(source.includes('*') ? 'r.source LIKE {source:String}' : 'r.source = {source:String}');
    parameters['source'] = source.includes('*') ? likePattern(source) : source;
  }
  if (title !== '') {
    conditions.push('positionCaseInsensitive(r.title, {title:String}) > 0');
    parameters['title'] = title;
  }
  if (outcomes.includes(outcome)) {
    conditions.push('r.outcome = {outcome:String}');
    parameters['outcome'] = outcome;
  }
  if (/^\d+$/.test(days)) {
    conditions.push('r.completed_at >= now() - toIntervalDay({days:UInt32})');
    parameters['days'] = days;
  }
  const sql = `SELECT r.race_id AS race_id, r.source AS source, r.title AS title, r.outcome AS outcome, r.attempt AS attempt, toUnixTimestamp64Milli(r.completed_at) AS completed_at_ms, r.duration_sec AS duration_sec,
      if(e.revision = 0, NULL, e.eta_sec) AS first_eta_sec
    FROM v_races AS r LEFT JOIN (SELECT race_id, attempt, revision, eta_sec FROM v_forecast_errors WHERE checkpoint = 0 AND role = 'served') AS e ON e.race_id = r.race_id AND e.attempt = r.attempt
    ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY r.completed_at DESC, r.race_id`;
  return { sql, parameters };
}
