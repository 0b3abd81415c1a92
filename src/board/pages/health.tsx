import { useState } from 'preact/hooks';
import { getJson, postJson, request, ApiError } from '../api/http.ts';
import { queryRows } from '../api/sql.ts';
import { useQuery } from '../api/use-query.ts';
import { quantileOf, readMetrics, sumOf, type Sample } from '../../bridge/metrics-text.ts';
import { Failure } from '../parts/notices.tsx';
import { useNow } from '../parts/use-now.ts';
import { Wide } from '../parts/wide.tsx';
import { useSettings } from '../settings.ts';
import { clockTime, percent, spell } from '../words.ts';

type Ready = { ready: boolean; roles: Record<string, string> };
type Letter = { at: number; topic: string | null; code: string | null; message: string | null; key: string | null; value: string | null; bytes: number; dead_letter_offset: number };
type Level = { day: string; races: number | string; within20: number | null; coverage: number | null; races_without_eta: number | string };

const EVERY_MS = 5_000;

/** Whether the service is well: its roles, how far behind it is, what it refused. */
export function HealthPage() {
  const ready = useQuery('ready', () => readiness(), EVERY_MS);
  const metrics = useQuery('metrics', async () => readMetrics(await (await request('/metrics')).text()), EVERY_MS);
  const letters = useQuery('letters', () => getJson<{ items: Letter[]; scanned: number }>('/v1/dead-letters?limit=50'), 4 * EVERY_MS);
  const levels = useQuery('levels', () => queryRows<Level>('SELECT day, races, within20_at_submission AS within20, coverage, races_without_eta FROM v_slo ORDER BY day DESC LIMIT 14'));
  return (
    <main id="main">
      <h1>Health</h1>
      {ready.error !== null && <Failure error={ready.error} again={ready.again} />}
      {ready.data !== null && (
        <section aria-label="Roles" class="cards">
          {Object.entries(ready.data.roles).map(([role, state]) => <div key={role} class={`card ${state === 'running' ? 'is-good' : 'is-bad'}`}><span class="sub">{role}</span><strong>{state}</strong></div>)}
        </section>
      )}
      {metrics.data !== null && <Figures samples={metrics.data} />}
      <section>
        <h2>Service levels by day</h2>
        {levels.error !== null ? <Failure error={levels.error} again={levels.again} /> : (levels.data ?? []).length === 0 ? <p class="sub">{levels.isLoading ? 'Loading…' : 'No race has ended in the last 30 days.'}</p> : (
          <Wide label="Service levels"><table><thead><tr><th>day</th><th>races</th><th>without an ETA</th><th>within 20 % at submission</th><th>inside P10–P90</th></tr></thead>
            <tbody>{levels.data!.map((level) => <tr key={level.day}><td>{level.day}</td><td>{Number(level.races)}</td><td>{Number(level.races_without_eta)}</td><td>{level.within20 === null ? '–' : percent(level.within20)}</td><td>{level.coverage === null ? '–' : percent(level.coverage)}</td></tr>)}</tbody></table></Wide>
        )}
      </section>
      <section>
        <h2>Dead letters</h2>
        {letters.error !== null ? <Failure error={letters.error} again={letters.again} /> : <Letters letters={letters.data?.items ?? []} isLoading={letters.isLoading} again={letters.again} />}
      </section>
    </main>
  );
}

async function readiness(): Promise<Ready> {
  try {
    return await getJson<Ready>('/readyz');
  } catch (error) {
    // Not ready is an answer too.
    if (error instanceof ApiError && error.status === 503) return { ready: false, roles: { service: 'not ready' } };
    throw error;
  }
}

function Figures({ samples }: { readonly samples: readonly Sample[] }) {
  const ms = (sec: number | null): string => (sec === null ? '–' : sec < 1 ? `${Math.round(1_000 * sec)} ms` : spell(sec));
  const read = sumOf(samples, 'raceline_inputs_total');
  const figures: readonly (readonly [string, string, string])[] = [
    ['Inputs', read.toLocaleString(), `${sumOf(samples, 'raceline_inputs_total', { outcome: 'rejected' }).toLocaleString()} refused, ${sumOf(samples, 'raceline_inputs_total', { outcome: 'late' }).toLocaleString()} late, ${sumOf(samples, 'raceline_inputs_total', { outcome: 'duplicate' }).toLocaleString()} double`],
    ['Lag', Math.round(sumOf(samples, 'raceline_input_lag_records')).toLocaleString(), 'records not yet processed'],
    ['Update to revision', ms(quantileOf(samples, 'raceline_revision_latency_seconds', 0.99)), `99th percentile; half within ${ms(quantileOf(samples, 'raceline_revision_latency_seconds', 0.5))}`],
    ['ClickHouse insert', ms(quantileOf(samples, 'raceline_clickhouse_insert_duration_seconds', 0.95)), '95th percentile'],
    ['HTTP', ms(quantileOf(samples, 'raceline_http_request_duration_seconds', 0.99)), '99th percentile of requests'],
    ['Streams', String(sumOf(samples, 'raceline_sockets')), `${sumOf(samples, 'raceline_slow_clients_closed_total')} closed for slowness`],
    ['Memory', `${Math.round(sumOf(samples, 'raceline_process_resident_memory_bytes') / 1_048_576)} MB`, `event loop p99 ${ms(sumOf(samples, 'raceline_nodejs_eventloop_lag_p99_seconds'))}`],
  ];
  return <section aria-label="Figures since the start" class="cards">{figures.map(([name, value, detail]) => <div key={name} class="card"><span class="sub">{name}</span><strong>{value}</strong><span class="sub">{detail}</span></div>)}</section>;
}

function Letters({ letters, isLoading, again }: { readonly letters: readonly Letter[]; readonly isLoading: boolean; readonly again: () => void }) {
  const [said, setSaid] = useState('');
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const replay = async (offset: number): Promise<void> => {
    try {
      const { replayed, problems } = await postJson<{ replayed: number; problems: { message: string }[] }>('/v1/dead-letters/replay', { offset });
      setSaid(replayed > 0 ? `Record ${offset} was sent again.` : `Record ${offset} was not sent: ${problems[0]?.message ?? 'no reason given'}`);
      again();
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  if (letters.length === 0) return <p class="sub">{isLoading ? 'Loading…' : 'None: everything that came was taken.'}</p>;
  return (
    <>
      <p role="status">{said}</p>
      <Wide label="Dead letters"><table><thead><tr><th>put aside</th><th>code</th><th>why</th><th>key</th><th /></tr></thead>
        <tbody>{letters.map((letter) => (
          <tr key={letter.dead_letter_offset}>
            <td>{clockTime(letter.at, nowMs, timeZone, true)}</td><td><code>{letter.code}</code></td><td><details><summary>{letter.message}</summary><pre>{letter.value}</pre></details></td><td>{letter.key}</td>
            <td><button type="button" onClick={() => void replay(letter.dead_letter_offset)}>Replay</button></td>
          </tr>
        ))}</tbody></table></Wide>
    </>
  );
}
