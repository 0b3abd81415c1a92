import { useMemo, useState } from 'preact/hooks';
import type { Accuracy as AccuracyAnswer, SourceAccuracy } from '../../bridge/accuracy.ts';
import { getJson } from '../api/http.ts';
import { queryRows } from '../api/sql.ts';
import { useQuery } from '../api/use-query.ts';
import { Empty, Failure, Loading } from '../parts/notices.tsx';
import { Plot } from '../parts/plot.tsx';
import { Wide } from '../parts/wide.tsx';
import { clockTime, percent, spell } from '../words.ts';
import { useSettings } from '../settings.ts';
import { histogramOf } from '../histogram.ts';

type Run = { at: number | string; duration_sec: number; title: string; outcome: string };
type Title = { title: string; runs: number | string; p50: number; p95: number; spread: number; passed: number };
type Day = { day: string; phase: string; forecasts: number | string; within20: number; coverage: number; confidence: number };
type Shift = { title: string; ratio: number; recent: number; earlier: number; at: number | string };

const MOST_RUNS = 2_000;

/** A source: how long its races take, whether that changes, and how right the forecasts were. */
export function SourcePage({ source }: { readonly source: string }) {
  const [title, setTitle] = useState('');
  const { timeZone } = useSettings();
  const runs = useQuery(`runs ${source} ${title}`, () => queryRows<Run>(
    `SELECT toUnixTimestamp64Milli(completed_at) AS at, duration_sec, title, outcome FROM v_races
     WHERE source = {source:String} AND outcome IN ('passed', 'failed')${title === '' ? '' : ' AND title = {title:String}'} ORDER BY completed_at DESC LIMIT ${MOST_RUNS}`, title === '' ? { source } : { source, title }));
  const titles = useQuery(`titles ${source}`, () => queryRows<Title>(
    `SELECT title, count() AS runs, quantileExact(0.5)(duration_sec) AS p50, quantileExact(0.95)(duration_sec) AS p95, quantileExact(0.9)(duration_sec) / greatest(quantileExact(0.1)(duration_sec), 0.001) AS spread, countIf(outcome = 'passed') / count() AS passed
     FROM v_races WHERE source = {source:String} AND outcome IN ('passed', 'failed') GROUP BY title ORDER BY sum(duration_sec) DESC LIMIT 200`, { source }));
  const days = useQuery(`days ${source}`, () => queryRows<Day>(
    `SELECT day, phase, forecasts, within20, coverage, mean_confidence AS confidence FROM v_accuracy_daily WHERE source = {source:String} AND role = 'served' ORDER BY day LIMIT 3000`, { source }));
  const recent = useQuery(`accuracy ${source}`, async () => (await getJson<AccuracyAnswer>(`/v1/accuracy?source=${encodeURIComponent(source)}`)).sources[0] ?? null);
  const shifts = useQuery(`shifts ${source}`, () => queryRows<Shift>(
    `SELECT title, ratio, recent_median_sec AS recent, earlier_median_sec AS earlier, toUnixTimestamp64Milli(last_completed_at) AS at FROM v_level_shifts WHERE source = {source:String} LIMIT 20`, { source }));
  if (runs.error !== null) return <main id="main"><h1>{source}</h1><Failure error={runs.error} again={runs.again} /></main>;
  if (runs.data === null) return <main id="main"><h1>{source}</h1><Loading what="its history" /></main>;
  return (
    <main id="main">
      <nav class="crumbs" aria-label="Where this is"><a href="#/">Live</a> › sources</nav>
      <h1>{source}</h1>
      <p><a href={`#/?q=${encodeURIComponent(source)}`}>What runs now</a> · <a href={`#/history?source=${encodeURIComponent(source)}`}>its finished races</a></p>
      {runs.data.length === 0 && title === '' ? <Empty title="No race of this source has ended yet"><p>Its durations and the accuracy of its forecasts appear here with the first one.</p></Empty> : (
        <>
          <section>
            <h2>How long it takes</h2>
            <label class="above">Title <select value={title} onChange={(event) => setTitle(event.currentTarget.value)}><option value="">all titles</option>{(titles.data ?? []).map((entry) => <option key={entry.title} value={entry.title}>{entry.title}</option>)}</select></label>
            <Durations runs={runs.data} />
          </section>
          {(shifts.data ?? []).length > 0 && (
            <section>
              <h2>Level shifts</h2>
              <ul>{shifts.data!.map((shift) => <li key={shift.title}><b>{shift.title}</b>: the last runs take {spell(shift.recent)}, those before {spell(shift.earlier)} ({shift.ratio >= 1 ? `${shift.ratio.toFixed(1)} times as long` : `${percent(1 - shift.ratio)} less`}, last seen {clockTime(Number(shift.at), Date.now(), timeZone)})</li>)}</ul>
            </section>
          )}
          <Accuracy days={days.data ?? []} recent={recent.data} isLoading={days.isLoading} />
          <Titles titles={titles.data ?? []} onChoose={setTitle} />
        </>
      )}
    </main>
  );
}

function Durations({ runs }: { readonly runs: readonly Run[] }) {
  const history = useMemo(() => {
    const ordered = runs.toReversed();
    return {
      x: ordered.map(({ at }) => Number(at)),
      series: [
        { label: 'passed', colour: '--accent', values: ordered.map(({ outcome, duration_sec: sec }) => (outcome === 'passed' ? Math.max(sec, 0.001) : null)), kind: 'points' as const },
        { label: 'failed', colour: '--bad', values: ordered.map(({ outcome, duration_sec: sec }) => (outcome === 'failed' ? Math.max(sec, 0.001) : null)), kind: 'points' as const },
      ],
    };
  }, [runs]);
  const histogram = useMemo(() => {
    const bins = histogramOf(runs.map(({ duration_sec: sec }) => sec));
    return { x: bins.map(({ fromSec, toSec }) => Math.sqrt(fromSec * toSec)), series: [{ label: 'races', colour: '--accent', values: bins.map(({ count }) => count), kind: 'bars' as const }] };
  }, [runs]);
  if (runs.length === 0) return <p class="sub">No run under this title.</p>;
  const middle = runs.map(({ duration_sec: sec }) => sec).sort((a, b) => a - b)[runs.length >> 1]!;
  return (
    <div class="columns">
      <Plot label={`Durations of the last ${runs.length} races over time; the median is ${spell(middle)}`} x={history.x} series={history.series} y="duration" isLogarithmic />
      <Plot label={`Distribution of ${runs.length} durations around ${spell(middle)}`} x={histogram.x} series={histogram.series} along="duration" y="count" />
    </div>
  );
}

/** @param recent of the last 30 days, with the ceiling that the spread of like runs allows. */
function Accuracy({ days, recent, isLoading }: { readonly days: readonly Day[]; readonly recent: SourceAccuracy | null; readonly isLoading: boolean }) {
  const ceiling = recent?.ceiling ?? null;
  const plot = useMemo(() => {
    const first = days.filter(({ phase }) => phase === 'submission');
    return {
      x: first.map(({ day }) => Date.parse(`${day}T12:00:00Z`)),
      series: [
        { label: 'within 20 % at submission', colour: '--accent', values: first.map(({ within20 }) => 100 * within20) },
        { label: 'as it promised', colour: '--muted', values: first.map(({ confidence }) => 100 * confidence), isDashed: true },
        { label: 'inside P10–P90 (80 is right)', colour: '--good', values: first.map(({ coverage }) => 100 * coverage) },
        ...ceiling === null ? [] : [{ label: 'the ceiling of like runs', colour: '--warn', values: first.map(() => 100 * ceiling.within20), isDashed: true }],
      ],
    };
  }, [days, ceiling]);
  const total = days.reduce((sum, { forecasts }) => sum + Number(forecasts), 0);
  return (
    <section>
      <h2>How right the forecasts were</h2>
      {recent !== null && recent.races > 0 && (
        <p>In the last 30 days {percent(recent.at_submission.within20)} of the forecasts at submission were within 20 %{recent.at_submission.p10_p90_coverage !== null && <>, and {percent(recent.at_submission.p10_p90_coverage)} of the races ended inside P10–P90</>}. {ceiling === null
          ? 'No kind of run has come ten times yet, so what its spread allows is not known.'
          : <>Like runs differ by so much that no fixed guess for each kind could have been right for more than {percent(ceiling.within20)}; one learned from as many runs, for {percent(ceiling.within20_learned)}.</>}</p>
      )}
      {total === 0 ? <p class="sub">{isLoading ? 'Loading…' : 'No forecast of this source has met its truth yet.'}</p>
        : <Plot label={`Share of forecasts within 20 % and inside P10 to P90 by day, ${total} forecasts`} x={plot.x} series={plot.series} along="day" y="percent" yRange={[0, 100]} />}
    </section>
  );
}

function Titles({ titles, onChoose }: { readonly titles: readonly Title[]; readonly onChoose: (title: string) => void }) {
  const [order, setOrder] = useState<'p95' | 'spread' | 'runs'>('p95');
  const ordered = useMemo(() => titles.toSorted((a, b) => Number(b[order]) - Number(a[order])).slice(0, 50), [titles, order]);
  if (titles.length === 0) return null;
  const head = (key: 'p95' | 'spread' | 'runs', words: string) => <th aria-sort={order === key ? 'descending' : 'none'}><button type="button" onClick={() => setOrder(key)}>{words}{order === key ? ' ▾' : ''}</button></th>;
  return (
    <section>
      <h2>Titles</h2>
      <Wide label="Titles"><table><thead><tr><th>title</th>{head('runs', 'runs')}<th>median</th>{head('p95', '95 % within')}{head('spread', 'spread')}<th>passed</th></tr></thead>
        <tbody>{ordered.map((entry) => (
          <tr key={entry.title}><td><button type="button" class="link" onClick={() => onChoose(entry.title)}>{entry.title}</button></td><td>{Number(entry.runs)}</td><td>{spell(entry.p50)}</td><td>{spell(entry.p95)}</td><td title="90th percentile over the 10th">{entry.spread.toFixed(1)} ×</td><td>{percent(entry.passed)}</td></tr>
        ))}</tbody></table></Wide>
    </section>
  );
}
