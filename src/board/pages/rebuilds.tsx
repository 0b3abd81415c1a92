import { useState } from 'preact/hooks';
import { getJson, postJson } from '../api/http.ts';
import { queryRows } from '../api/sql.ts';
import { useQuery } from '../api/use-query.ts';
import { Empty, Failure, Loading } from '../parts/notices.tsx';
import { Wide } from '../parts/wide.tsx';
import { useNow } from '../parts/use-now.ts';
import { sourceLink } from '../routes.ts';
import { useSettings } from '../settings.ts';
import { clockTime, percent, spell } from '../words.ts';

type Check = { check: string; passed: boolean; reason: string };
type Rebuild = {
  id: string; source: string; trigger: string; status: keyof typeof pillOf; message: string; started_at: string; finished_at: string | null;
  races: number; clusters: number; noise_ratio: number | null; agreement: number | null; mae_sec: number | null; in_force_mae_sec: number | null; checks: Check[];
};
type Candidate = { version: string; stage: 'shadow' | 'canary'; since: string; share: number };
type SourceRollout = { source: string; active: string | null; previous: string | null; on_probation: boolean; candidate: Candidate | null };
type Rollout = { current_phase: string; sources: SourceRollout[] };
type Running = { source: string; id: string; stage: string; ratio: number };
type Decision = { at: number | string; source: string; stage: string; version: string; kind: string; reason: string };
type Action = { readonly path: string; readonly body: object; readonly said: string; /** Asked before it is done. */ readonly question?: string };

const EVERY_MS = 3_000;
const pillOf = { running: '', accepted: 'is-passed', refused: 'is-overdue', failed: 'is-failed', cancelled: '', skipped: '' };
const kindWords: Readonly<Record<string, string>> = { start: 'on trial', promote: 'promoted', withdraw: 'withdrawn', rollback: 'rolled back', confirm: 'confirmed', phase: 'phase' };

/** Clusters of like races: when they were made anew, what was held against them, and which versions forecast. */
export function RebuildsPage() {
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const [said, setSaid] = useState('');
  const rebuilds = useQuery('rebuilds', () => getJson<Rebuild[]>('/v1/rebuilds'), EVERY_MS);
  const rollout = useQuery('rollout', () => getJson<Rollout>('/metrics/rollout'), EVERY_MS);
  const running = useQuery('running rebuilds', async () => (await getJson<{ running: Running[] }>('/metrics/rebuild')).running, EVERY_MS / 3);
  const decisions = useQuery('decisions', () => queryRows<Decision>('SELECT toUnixTimestamp64Milli(decided_at) AS at, source, stage, version, kind, reason FROM v_model_swaps ORDER BY decided_at DESC LIMIT 50'), EVERY_MS);
  const act = async ({ path, body, said: done, question }: Action): Promise<void> => {
    if (question !== undefined && !confirm(question)) return;
    try {
      await postJson(path, body);
      setSaid(done);
      rebuilds.again();
      rollout.again();
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  if (rebuilds.error !== null) return <main id="main"><h1>Rebuilds</h1><Failure error={rebuilds.error} again={rebuilds.again} /></main>;
  if (rebuilds.data === null) return <main id="main"><h1>Rebuilds</h1><Loading what="rebuilds" /></main>;
  return (
    <main id="main">
      <h1>Rebuilds</h1>
      <p class="sub">Races are grouped into clusters of like ones, so that a race under a new title is forecast from its kind. A rebuild makes the clusters anew; it is tried beside what forecasts now before it serves a race.</p>
      <Ask onAsk={(source) => void act(rebuildOf(source))} />
      <p role="status">{said}</p>
      {(running.data ?? []).map((one) => <Progress key={one.id} rebuild={one} />)}
      <section>
        <h2>Which version forecasts{rollout.data !== null && <span class="sub"> · phase {rollout.data.current_phase}</span>}</h2>
        {rollout.error !== null ? <Failure error={rollout.error} again={rollout.again} /> : (rollout.data?.sources ?? []).length === 0 ? <p class="sub">{rollout.isLoading ? 'Loading…' : 'None yet: forecasts go on without clusters until a rebuild is accepted.'}</p> : (
          <Wide label="Versions by source"><table><thead><tr><th>source</th><th>forecasts</th><th>on trial</th><th /></tr></thead>
            <tbody>{rollout.data!.sources.map((of) => <Versions key={of.source} of={of} nowMs={nowMs} timeZone={timeZone} act={(action) => void act(action)} />)}</tbody></table></Wide>
        )}
      </section>
      <section>
        <h2>Runs</h2>
        {rebuilds.data.length === 0 ? <Empty title="Nothing was rebuilt yet"><p>A source is rebuilt by itself once it has enough finished races and its forecasts or clusters have changed; or ask for it above.</p></Empty> : (
          <Wide label="Runs"><table><thead><tr><th>began</th><th>source</th><th>verdict</th><th>races</th><th>clusters</th><th>noise</th><th title="Adjusted Rand index with the clusters in force">agreement</th><th>mean error; in force</th><th>took</th></tr></thead>
            <tbody>{rebuilds.data.map((rebuild) => <Run key={rebuild.id} rebuild={rebuild} nowMs={nowMs} timeZone={timeZone} />)}</tbody></table></Wide>
        )}
      </section>
      {(decisions.data ?? []).length > 0 && (
        <section>
          <h2>Decisions</h2>
          <Wide label="Decisions"><table><thead><tr><th>at</th><th>source</th><th>decision</th><th>version</th><th>why</th></tr></thead>
            <tbody>{decisions.data!.map((decision) => (
              <tr key={`${decision.at} ${decision.source} ${decision.stage} ${decision.kind}`}>
                <td>{clockTime(Number(decision.at), nowMs, timeZone)}</td><td>{decision.source === '*' ? 'every source' : decision.source}</td>
                <td>{kindWords[decision.kind] ?? decision.kind}{decision.stage === 'phase' ? '' : `: ${decision.stage}`}</td><td><code>{decision.version || 'none'}</code></td><td>{decision.reason}</td>
              </tr>
            ))}</tbody></table></Wide>
        </section>
      )}
    </main>
  );
}

function Ask({ onAsk }: { readonly onAsk: (source: string) => void }) {
  const [source, setSource] = useState('');
  const sources = useQuery('sources', () => queryRows<{ source: string }>('SELECT source FROM v_races GROUP BY source ORDER BY count() DESC LIMIT 200'));
  const submit = (event: Event): void => {
    event.preventDefault();
    onAsk(source);
  };
  return (
    <form class="tools" onSubmit={submit}>
      <label>Source <input list="sources" required maxLength={200} value={source} onInput={(event) => setSource(event.currentTarget.value)} /></label>
      <datalist id="sources">{(sources.data ?? []).map((one) => <option key={one.source} value={one.source} />)}</datalist>
      <button type="submit">Rebuild</button>
    </form>
  );
}

function Progress({ rebuild: { source, stage, ratio } }: { readonly rebuild: Running }) {
  const done = Math.round(100 * ratio);
  return (
    <div class="card">
      <span><b>{source}</b> is being rebuilt: {stage}, {done} %</span>
      <div class="bar" role="progressbar" aria-label={`Rebuild of ${source}`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={done}><span class="reported" style={{ transform: `translateX(${done - 100}%)` }} /></div>
    </div>
  );
}

function Versions({ of: { source, active, previous, on_probation: isOnProbation, candidate }, nowMs, timeZone, act }: { readonly of: SourceRollout; readonly nowMs: number; readonly timeZone: string | null; readonly act: (action: Action) => void }) {
  const rollback = candidate === null ? `Bring back what forecast ${source} before ${active}?` : `Withdraw ${candidate.version} of ${source}?`;
  return (
    <tr>
      <td class="name"><a href={sourceLink(source)}>{source}</a></td>
      <td><code>{active ?? 'without clusters'}</code>{isOnProbation && <span class="sub"> held against {previous ?? 'none'}</span>}</td>
      <td>{candidate === null ? '–' : <><code>{candidate.version}</code> <span class="sub">{candidate.stage === 'shadow' ? 'shadow: forecasts, serves none' : `canary: serves ${percent(candidate.share)}`}, since {clockTime(Date.parse(candidate.since), nowMs, timeZone)}</span></>}</td>
      <td class="actions">
        <button type="button" onClick={() => act(rebuildOf(source))}>Rebuild</button>
        {candidate !== null && <button type="button" onClick={() => act({ path: '/v1/rollout/promote', body: { source }, said: `${candidate.version} goes one stage on.`, question: `Take ${candidate.version} of ${source} one stage on, whatever its evidence?` })}>Promote</button>}
        {(candidate !== null || active !== null) && <button type="button" onClick={() => act({ path: '/v1/rollout/rollback', body: { source }, said: `${source} goes back.`, question: rollback })}>Roll back</button>}
      </td>
    </tr>
  );
}

function Run({ rebuild, nowMs, timeZone }: { readonly rebuild: Rebuild; readonly nowMs: number; readonly timeZone: string | null }) {
  const { source, status, message, checks } = rebuild;
  const [startedMs, finishedMs] = [timeOf(rebuild.started_at), rebuild.finished_at === null ? null : timeOf(rebuild.finished_at)];
  const failed = checks.filter(({ passed }) => !passed);
  return (
    <tr>
      <td>{clockTime(startedMs, nowMs, timeZone)}<br /><span class="sub">{rebuild.trigger}</span></td>
      <td class="name"><a href={sourceLink(source)}>{source}</a></td>
      <td class="verdict">
        <span class={`pill ${pillOf[status]}`}>{status}</span>
        {checks.length === 0 ? <p class="sub">{message}</p> : (
          <details><summary>{failed[0]?.reason ?? `all ${checks.length} checks passed`}</summary>
            <ul class="checks">{checks.map(({ check, passed, reason }) => <li key={check}><span aria-hidden="true">{passed ? '✓' : '✗'}</span> <b>{check}</b> {passed ? '' : '(not passed) '}{reason}</li>)}</ul></details>
        )}
      </td>
      <td>{Number(rebuild.races).toLocaleString()}</td><td>{Number(rebuild.clusters).toLocaleString()}</td>
      <td>{rebuild.noise_ratio === null ? '–' : percent(rebuild.noise_ratio)}</td><td>{rebuild.agreement === null ? '–' : rebuild.agreement.toFixed(2)}</td>
      <td>{rebuild.mae_sec === null ? '–' : `${spell(rebuild.mae_sec)}; ${rebuild.in_force_mae_sec === null ? 'none' : spell(rebuild.in_force_mae_sec)}`}</td>
      <td>{finishedMs === null ? '–' : `${((finishedMs - startedMs) / 1_000).toFixed(1)} s`}</td>
    </tr>
  );
}

function rebuildOf(source: string): Action {
  return { path: '/v1/rebuilds', body: { source }, said: `A rebuild of ${source} was asked for.` };
}

/** ClickHouse's text of an instant, in UTC. */
function timeOf(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}
