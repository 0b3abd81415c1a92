import { useEffect, useMemo } from 'preact/hooks';
import type { RaceView } from '../../bridge/frames.ts';
import { getJson } from '../api/http.ts';
import { queryRows } from '../api/sql.ts';
import { useQuery } from '../api/use-query.ts';
import { follow } from '../live/live.ts';
import { rowOf, type RaceRow, type StageMark } from '../live/race-list.ts';
import { useLive } from '../live/use-live.ts';
import { Failure, Loading } from '../parts/notices.tsx';
import { Plot } from '../parts/plot.tsx';
import { ProgressBar } from '../parts/progress-bar.tsx';
import { PinButton, RevisionPill } from '../parts/race-line.tsx';
import { StageStrip } from '../parts/stage-strip.tsx';
import { useNow } from '../parts/use-now.ts';
import { Wide } from '../parts/wide.tsx';
import { journeyLink, raceLink, sourceLink } from '../routes.ts';
import { useSettings } from '../settings.ts';
import { basisText, clockTime, finishText, fullTime, moved, percent, rangeText, reasonText, spell, standingWords } from '../words.ts';

type Stage = { name: string; occurrence: number; state: string; started_at: number | null; completed_at: number | null; planned_sec: number | null };
type Details = RaceView & { stages: Stage[]; plan: { name: string; planned_sec: number | null }[]; events: { type: string; at: number; data: string | null }[]; events_dropped: number; route_id: string | null };
type Revision = { attempt?: number; revision: number; issued_at: number; eta_sec: number | null; p10_sec?: number | null; p90_sec?: number | null; confidence: number; basis: string; reason: string; display_state?: string };
type LikeRun = { race_id: string; title: string; outcome: string; completed_at_ms: number | string; duration_sec: number };

/** One race: what is said of its end and why, what was said before, what it consists of. */
export function RacePage({ raceId }: { readonly raceId: string }) {
  useEffect(() => {
    follow(raceId);
    return () => follow(null);
  }, [raceId]);
  const followed = useLive((live) => live.followed);
  const live = followed?.raceId === raceId ? followed : null;
  const version = live?.race === null || live === null ? 'gone' : `${live.race.updated_at}/${live.race.eta?.revision ?? 0}`;
  const details = useQuery(`${raceId} ${version}`, () => getJson<Details>(`/v1/races/${encodeURIComponent(raceId)}`));
  const race = details.data ?? live?.race ?? null;
  const { timeZone, pinned } = useSettings();
  const nowMs = useNow();
  if (race === null) return <main id="main">{details.error === null ? <Loading what="the race" /> : <StoredRace raceId={raceId} failure={<Failure error={details.error} again={details.again} />} />}</main>;
  const row = live?.row ?? rowOf(race, nowMs, 0, pinned.includes(raceId));
  const finish = finishText(row, nowMs, timeZone);
  const stages = stagesOf(details.data, row);
  // What the revision has no room for and the race has not reported.
  const more = row.stages.length + (race.eta?.milestones_dropped ?? 0) - stages.length;
  return (
    <main id="main">
      <nav class="crumbs" aria-label="Where this is"><a href="#/">Live</a> › <a href={sourceLink(race.source)}>{race.source}</a></nav>
      <header class="headline">
        <PinButton row={row} />
        <h1>{race.title}</h1>
        <RevisionPill row={row} nowMs={nowMs} />
      </header>
      <section class="big" aria-label="When it ends">
        <div><strong class="time">{finish.main}</strong><span class="sub">{finish.detail}</span></div>
        <ProgressBar row={row} />
        <Facts race={race} row={row} isOnRoute={(details.data?.route_id ?? null) !== null} nowMs={nowMs} timeZone={timeZone} />
      </section>
      {stages.length > 0 && <section><h2>Stages</h2><StageStrip stages={stages} more={Math.max(0, more)} nowMs={nowMs} timeZone={timeZone} /></section>}
      <Revisions race={race} timeZone={timeZone} nowMs={nowMs} />
      <LikeRuns race={race} timeZone={timeZone} nowMs={nowMs} />
      <div class="columns">
        <section>
          <h2>Metadata</h2>
          {Object.keys(race.metadata).length === 0 ? <p class="sub">None was sent.</p> : <dl class="pairs">{Object.entries(race.metadata).map(([key, value]) => <div key={key}><dt>{key}</dt><dd>{value}</dd></div>)}</dl>}
        </section>
        <section>
          <h2>Events</h2>
          {details.data === null || details.data.events.length === 0 ? <p class="sub">None so far.</p> : (
            <ol class="events">{details.data.events.toReversed().map((event, index) => <li key={index}><time title={fullTime(event.at, timeZone)}>{clockTime(event.at, nowMs, timeZone, true)}</time> <b>{event.type}</b>{event.data !== null && <pre>{event.data.slice(0, 2_000)}</pre>}</li>)}</ol>
          )}
        </section>
      </div>
    </main>
  );
}

function Facts({ race, row, isOnRoute, nowMs, timeZone }: { readonly race: RaceView; readonly row: RaceRow; readonly isOnRoute: boolean; readonly nowMs: number; readonly timeZone: string | null }) {
  const at = (instant: number | null): string => (instant === null ? '–' : clockTime(instant, nowMs, timeZone, true));
  const isLive = race.state === 'running' || race.state === 'queued';
  const range = rangeText(row, nowMs, timeZone);
  return (
    <dl class="facts">
      <div><dt>State</dt><dd>{standingWords[row.standing]}{race.attempt > 1 ? `, attempt ${race.attempt}` : ''}</dd></div>
      {race.queued_at !== null && <div><dt>Queued</dt><dd>{at(race.queued_at)}{race.started_at !== null && race.started_at > race.queued_at ? ` (waited ${spell((race.started_at - race.queued_at) / 1_000)})` : ''}</dd></div>}
      <div><dt>Started</dt><dd>{at(race.started_at)}</dd></div>
      {race.completed_at !== null && <div><dt>Ended</dt><dd>{at(race.completed_at)}</dd></div>}
      {isLive && range !== null && <div><dt>8 of 10 end between</dt><dd>{range}</dd></div>}
      {isLive && row.basis !== null && row.basis !== 'none' && <div><dt>Judged by</dt><dd>{basisText(row.basis)}</dd></div>}
      {isLive && row.standing !== 'cold' && row.basis !== null && row.basis !== 'none' && <div><dt>Within 20 %</dt><dd>{percent(row.confidence)} sure</dd></div>}
      {isLive && row.deadlineAt !== null && <div><dt>Deadline</dt><dd>{at(row.deadlineAt)}{row.deadlineProbability === null ? '' : `, kept with ${percent(row.deadlineProbability)}`}</dd></div>}
      {isOnRoute && <div><dt>Journey</dt><dd><a href={journeyLink(race.race_id)}>on the map</a></dd></div>}
      {race.deeplink !== null && /^https?:/.test(race.deeplink) && <div><dt>Elsewhere</dt><dd><a href={race.deeplink} rel="noopener noreferrer" target="_blank">open</a></dd></div>}
    </dl>
  );
}

function stagesOf(details: Details | null, row: RaceRow): StageMark[] {
  const forecast = new Map(row.stages.map((stage) => [stage.name, stage]));
  const reported = (details?.stages ?? []).map((stage) => ({
    name: stage.occurrence > 1 ? `${stage.name} (${stage.occurrence})` : stage.name, state: stage.state, passedAt: stage.completed_at,
    etaAt: forecast.get(stage.name)?.etaAt ?? null, p90At: forecast.get(stage.name)?.p90At ?? null,
  }));
  const names = new Set((details?.stages ?? []).map(({ name }) => name));
  return [...reported, ...row.stages.filter(({ name }) => !names.has(name))];
}

/** What was said over time, beside the truth once it is known. */
function Revisions({ race, timeZone, nowMs }: { readonly race: RaceView; readonly timeZone: string | null; readonly nowMs: number }) {
  const answer = useQuery(`${race.race_id} revisions ${race.eta?.revision ?? 0}`, () => getJson<{ revisions: Revision[] }>(`/v1/races/${encodeURIComponent(race.race_id)}/revisions`));
  const said = useMemo(() => (answer.data?.revisions ?? []).filter((revision) => (revision.attempt === undefined || revision.attempt === race.attempt) && revision.eta_sec !== null && revision.basis !== 'exact'), [answer.data, race.attempt]);
  const plot = useMemo(() => {
    const endMs = race.completed_at ?? Date.now();
    const x = [...said.map(({ issued_at: at }) => at), Math.max(endMs, (said.at(-1)?.issued_at ?? 0) + 1)];
    const held = <T,>(values: T[]): T[] => (values.length === 0 ? values : [...values, values.at(-1)!]);
    return {
      x,
      series: [
        { label: '90 % by', colour: '--band', values: held(said.map(({ p90_sec: sec }) => sec ?? null)), kind: 'step' as const, bandTo: 1 },
        { label: '10 % by', colour: '--band', values: held(said.map(({ p10_sec: sec }) => sec ?? null)), kind: 'step' as const },
        { label: 'forecast', colour: '--accent', values: held(said.map(({ eta_sec: sec }) => sec)), kind: 'step' as const },
        ...(race.duration_sec === null ? [] : [{ label: 'truth', colour: '--good', values: x.map(() => race.duration_sec), isDashed: true }]),
      ],
    };
  }, [said, race.completed_at, race.duration_sec]);
  return (
    <section>
      <h2>What was said</h2>
      {answer.error !== null && <Failure error={answer.error} again={answer.again} />}
      {said.length === 0 && answer.error === null && <p class="sub">{answer.isLoading ? 'Loading…' : 'No forecast was published yet.'}</p>}
      {said.length > 0 && <Plot label={`Forecast of the total duration over time, ${said.length} revisions, last ${spell(said.at(-1)!.eta_sec!)}${race.duration_sec === null ? '' : `, truth ${spell(race.duration_sec)}`}`} x={plot.x} series={plot.series} y="duration" />}
      {said.length > 0 && (
        <details>
          <summary>{said.length} revisions</summary>
          <Wide label="Revisions"><table><thead><tr><th>#</th><th>said at</th><th>total</th><th>moved</th><th>why</th><th>judged by</th><th>sure</th></tr></thead>
            <tbody>{said.toReversed().slice(0, 200).map((revision, index, all) => (
              <tr key={revision.revision}><td>{revision.revision}</td><td>{clockTime(revision.issued_at, nowMs, timeZone, true)}</td><td>{spell(revision.eta_sec!)}</td><td>{all[index + 1] === undefined ? '' : moved(revision.eta_sec! - all[index + 1]!.eta_sec!)}</td><td>{reasonText(revision.reason)}</td><td>{basisText(revision.basis)}</td><td>{percent(revision.confidence)}</td></tr>
            ))}</tbody></table></Wide>
        </details>
      )}
    </section>
  );
}

const MOST_LIKE_RUNS = 100;
const SHOWN_LIKE_RUNS = 10;

/** Earlier runs under the same title: what most forecasts rest on. */
function LikeRuns({ race, timeZone, nowMs }: { readonly race: RaceView; readonly timeZone: string | null; readonly nowMs: number }) {
  const answer = useQuery(`${race.source} ${race.title}`, () => queryRows<LikeRun>(
    `SELECT race_id, title, outcome, toUnixTimestamp64Milli(completed_at) AS completed_at_ms, duration_sec FROM v_races
     WHERE source = {source:String} AND title = {title:String} AND race_id != {id:String} ORDER BY completed_at DESC LIMIT ${MOST_LIKE_RUNS}`, { source: race.source, title: race.title, id: race.race_id }));
  if (answer.error?.code === 'history_unavailable') return null;
  const runs = answer.data ?? [];
  const basis = race.eta?.basis ?? 'none';
  const tooks = runs.filter(({ outcome }) => outcome === 'passed' || outcome === 'failed').map(({ duration_sec: sec }) => sec).sort((a, b) => a - b);
  const tookAt = (share: number): string => spell(tooks[Math.min(tooks.length - 1, Math.floor(share * tooks.length))]!);
  return (
    <section>
      <h2>{race.eta === null || basis === 'exact' ? 'Like runs' : 'Why this ETA: like runs'}</h2>
      {race.eta !== null && basis !== 'exact' && basis !== 'none' && <p>It is judged by {basisText(basis)}; the last revision came because of this: {reasonText(race.eta.reason)}.</p>}
      {tooks.length > 0 && <p>Of the last {tooks.length} runs under this title that came to their end, half took up to {tookAt(0.5)}, nine of ten up to {tookAt(0.9)}.</p>}
      {answer.error !== null && <Failure error={answer.error} again={answer.again} />}
      {answer.error === null && runs.length === 0 && <p class="sub">{answer.isLoading ? 'Loading…' : 'None under this title has ended yet: the forecast rests on races that are like it in other ways.'}</p>}
      {runs.length > 0 && (
        <Wide label="Like runs"><table><thead><tr><th>ended</th><th>outcome</th><th>took</th><th>race</th></tr></thead>
          <tbody>{runs.slice(0, SHOWN_LIKE_RUNS).map((run) => <tr key={run.race_id}><td>{clockTime(Number(run.completed_at_ms), nowMs, timeZone)}</td><td><span class={`pill is-${run.outcome}`}>{run.outcome}</span></td><td>{spell(run.duration_sec)}</td><td><a href={raceLink(run.race_id)}>{run.race_id}</a></td></tr>)}</tbody></table></Wide>
      )}
    </section>
  );
}

/** A race that has left the live view: what ClickHouse knows of it. */
function StoredRace({ raceId, failure }: { readonly raceId: string; readonly failure: preact.ComponentChild }) {
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const answer = useQuery(`stored ${raceId}`, () => queryRows<{ source: string; title: string; outcome: string; attempt: number; queued_at_ms: number | string | null; started_at_ms: number | string; completed_at_ms: number | string; duration_sec: number; metadata: Record<string, string> }>(
    `SELECT source, title, outcome, attempt, toUnixTimestamp64Milli(queued_at) AS queued_at_ms, toUnixTimestamp64Milli(started_at) AS started_at_ms, toUnixTimestamp64Milli(completed_at) AS completed_at_ms, duration_sec, metadata
     FROM v_races WHERE race_id = {id:String} ORDER BY attempt DESC LIMIT 1`, { id: raceId }));
  const stored = answer.data?.[0];
  if (answer.isLoading) return <Loading what="the race from history" />;
  if (stored === undefined) return <>{failure}</>;
  const state = stored.outcome as RaceView['state'];
  const race: RaceView = {
    race_id: raceId, source: stored.source, title: stored.title, state, attempt: Number(stored.attempt), queued_at: stored.queued_at_ms === null ? null : Number(stored.queued_at_ms), started_at: Number(stored.started_at_ms),
    completed_at: Number(stored.completed_at_ms), duration_sec: stored.duration_sec, progress: null, metadata: stored.metadata, deeplink: null, deadline_at: null, update_interval_hint_sec: null,
    updated_at: Number(stored.completed_at_ms), eta: null,
  };
  return (
    <>
      <nav class="crumbs" aria-label="Where this is"><a href="#/history">History</a> › <a href={sourceLink(race.source)}>{race.source}</a></nav>
      <header class="headline"><h1>{race.title}</h1><span class={`pill is-${state}`}>{standingWords[state === 'running' ? 'running' : state]}</span></header>
      <section class="big"><div><strong class="time">{spell(stored.duration_sec)}</strong><span class="sub">ended {clockTime(race.completed_at!, nowMs, timeZone)}</span></div></section>
      <Revisions race={race} timeZone={timeZone} nowMs={nowMs} />
      <LikeRuns race={race} timeZone={timeZone} nowMs={nowMs} />
    </>
  );
}
