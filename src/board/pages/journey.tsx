import { useMemo } from 'preact/hooks';
import { getJson } from '../api/http.ts';
import { askRoute, useMapTiles, type JourneyDetails, type JourneyPoi, type Waypoint } from '../api/journeys.ts';
import { useQuery } from '../api/use-query.ts';
import { lineOf, partOf, pointOf } from '../map/plane.ts';
import { Failure, Loading } from '../parts/notices.tsx';
import { LegStrip } from '../parts/leg-strip.tsx';
import { RouteMap, type MapMark } from '../parts/route-map.tsx';
import { useNow } from '../parts/use-now.ts';
import { Wide } from '../parts/wide.tsx';
import { raceLink, sourceLink } from '../routes.ts';
import { useSettings } from '../settings.ts';
import { betweenText, clockTime, countdown, courseWords, delayText, distance, phaseWords, poiWords, speed, spell } from '../words.ts';

const EVERY_MS = 2_000;

/** One vehicle: where it is on its route, and when it will be at each waypoint. */
export function JourneyPage({ raceId }: { readonly raceId: string }) {
  const answer = useQuery(raceId, () => getJson<JourneyDetails>(`/v1/journeys/${encodeURIComponent(raceId)}`), EVERY_MS);
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const journey = answer.data;
  if (journey === null) {
    return (
      <main id="main">
        <nav class="crumbs" aria-label="Where this is"><a href="#/journeys">Journeys</a></nav>
        {answer.error === null ? <Loading what="the journey" /> : <Failure error={answer.error} again={answer.again} />}
      </main>
    );
  }
  return (
    <main id="main">
      <nav class="crumbs" aria-label="Where this is"><a href="#/journeys">Journeys</a> › <a href={sourceLink(journey.source)}>{journey.source}</a></nav>
      <header class="headline"><h1>{journey.title}</h1><span class={`pill is-${journey.phase}`}>{phaseWords[journey.phase]}</span></header>
      {answer.error !== null && <Failure error={answer.error} again={answer.again} />}
      <section class="big" aria-label="When it arrives">
        <End journey={journey} nowMs={nowMs} timeZone={timeZone} />
        {journey.waypoints.length > 1 && <LegStrip journey={journey} />}
        <Facts journey={journey} nowMs={nowMs} timeZone={timeZone} />
      </section>
      <JourneyMap journey={journey} />
      <section>
        <h2>Waypoints</h2>
        {journey.waypoints.length === 0 ? <p class="sub">The route has changed since the vehicle was followed on it: waypoints appear with its next position.</p> : <Milestones waypoints={journey.waypoints} nowMs={nowMs} timeZone={timeZone} />}
      </section>
      {journey.pois.length > 0 && <section><h2>Points of interest</h2><Pois pois={journey.pois} nowMs={nowMs} timeZone={timeZone} /></section>}
    </main>
  );
}

type Timed = { readonly nowMs: number; readonly timeZone: string | null };

function End({ journey: { phase, arrived_at: arrivedAt, eta_at: etaAt, p10_at: p10At, p90_at: p90At, departed_at: departedAt }, nowMs, timeZone }: Timed & { readonly journey: JourneyDetails }) {
  if (arrivedAt !== null) return <div><strong class="time">{clockTime(arrivedAt, nowMs, timeZone)}</strong><span class="sub">arrived{departedAt === null ? '' : `, ${spell((arrivedAt - departedAt) / 1_000)} after it left`}</span></div>;
  if (etaAt === null) return <div><strong class="time">No ETA</strong><span class="sub">{phase === 'pre_departure' ? 'it has not left, and nobody planned when' : 'it stands still, or nothing is known of its route'}</span></div>;
  const range = betweenText(p10At, p90At, nowMs, timeZone);
  return (
    <div>
      <strong class="time">{clockTime(etaAt, nowMs, timeZone)}</strong>
      <span class="sub">{countdown(etaAt, nowMs)}{range !== null && `, 8 of 10 between ${range}`}</span>
    </div>
  );
}

function Facts({ journey, nowMs, timeZone }: Timed & { readonly journey: JourneyDetails }) {
  const { leg } = journey;
  const facts: readonly (readonly [string, string])[] = [
    ['Against plan', journey.delay_sec === null ? 'it has no plan' : delayText(journey.delay_sec)],
    ['Course', courseText(journey)],
    ['Leg', leg === null ? '–' : `${leg.from} → ${leg.to}, ${Math.round(100 * leg.fraction)} %`],
    ['To go', journey.remaining_m === null ? '–' : distance(journey.remaining_m)],
    ['Speed', journey.speed_mps === null ? '–' : speed(journey.speed_mps)],
    ['Left', journey.departed_at === null ? 'not yet' : clockTime(journey.departed_at, nowMs, timeZone, true)],
    ['Heard', `${spell((nowMs - journey.at) / 1_000)} ago`],
  ];
  return (
    <dl class="facts is-dense">
      {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      <div><dt>Forecast</dt><dd><a href={raceLink(journey.race_id)}>what was said, and why</a></dd></div>
    </dl>
  );
}

function courseText({ off_route: isOff, off_m: offM, course }: JourneyDetails): string {
  const status = course?.status ?? null;
  if (!isOff && (status === null || status === 'on_course')) return 'on the route';
  return `${isOff ? `${distance(offM)} off the route` : 'on the route'}${status === null ? '' : `, ${courseWords[status]}`}`;
}

function JourneyMap({ journey }: { readonly journey: JourneyDetails }) {
  const tiles = useMapTiles();
  const route = useQuery(journey.route_id, () => askRoute(journey.route_id));
  const line = useMemo(() => (route.data === null ? null : lineOf(route.data.line)), [route.data]);
  const { waypoints, along_m: alongM } = journey;
  const lengthM = waypoints.at(-1)?.along_m ?? 0;
  const lines = useMemo(() => {
    const points = line ?? lineOf(waypoints.map(({ lat, lon }) => [lon, lat]));
    return points.length < 2 ? [] : [{ key: 'route', points }, ...(lengthM > 0 ? [{ key: 'behind', points: partOf(points, Math.min(1, alongM / lengthM)), isBehind: true }] : [])];
  }, [line, waypoints, alongM, lengthM]);
  const marks = useMemo((): MapMark[] => {
    const next = journey.leg?.index ?? waypoints.findIndex(({ distance_m: left }) => left !== null);
    return [
      ...(route.data?.pois ?? []).map(({ id, name, lat, lon }): MapMark => ({ key: `poi ${id}`, kind: 'poi', at: pointOf(lat, lon), name })),
      ...waypoints.map(({ index, name, lat, lon, distance_m: left }): MapMark => ({ key: `waypoint ${index}`, kind: left === null ? 'passed' : index === next ? 'next' : 'waypoint', at: pointOf(lat, lon), name })),
      { key: 'vehicle', kind: journey.off_route ? 'stray' : 'vehicle', at: pointOf(journey.lat, journey.lon), name: journey.title, headingDeg: journey.heading_deg },
    ];
  }, [journey, route.data]);
  const place = journey.leg === null ? phaseWords[journey.phase].toLowerCase() : `between ${journey.leg.from} and ${journey.leg.to}`;
  return <RouteMap label={`Map of ${journey.title}: ${place}`} lines={lines} marks={marks} subject={`${journey.race_id} ${line === null ? '' : 'line'}`} tiles={tiles} />;
}

function Milestones({ waypoints, nowMs, timeZone }: Timed & { readonly waypoints: readonly Waypoint[] }) {
  const next = waypoints.find(({ distance_m: left }) => left !== null)?.index;
  const at = (instant: number | null): string => (instant === null ? '–' : clockTime(instant, nowMs, timeZone));
  return (
    <Wide label="Waypoints"><table class="waypoints"><thead><tr><th>waypoint</th><th>expected</th><th>countdown</th><th>8 of 10 between</th><th>plan</th><th>against plan</th><th>to go</th></tr></thead>
      <tbody>{waypoints.map((waypoint) => {
        const { index, name, planned_at: plannedAt, passed_at: passedAt, eta_at: etaAt, p10_at: p10At, p90_at: p90At, distance_m: left } = waypoint;
        const known = passedAt ?? etaAt;
        return (
          <tr key={index} class={left === null ? 'is-over' : ''} aria-current={index === next ? 'step' : undefined} data-waypoint={index}>
            <td class="name">{name}</td>
            <td>{passedAt !== null ? `passed ${at(passedAt)}` : left === null ? 'passed unseen' : <b>{at(etaAt)}</b>}</td>
            <td>{passedAt !== null || etaAt === null ? '–' : countdown(etaAt, nowMs)}</td>
            <td>{betweenText(p10At, p90At, nowMs, timeZone) ?? '–'}</td>
            <td>{at(plannedAt)}</td>
            <td>{plannedAt === null || known === null ? '–' : delayText((known - plannedAt) / 1_000)}</td>
            <td>{left === null ? '–' : distance(left)}</td>
          </tr>
        );
      })}</tbody></table></Wide>
  );
}

function Pois({ pois, nowMs, timeZone }: Timed & { readonly pois: readonly JourneyPoi[] }) {
  return (
    <Wide label="Points of interest"><table class="waypoints"><thead><tr><th>place</th><th>is</th><th>expected</th><th>countdown</th><th>beside the route</th><th>to go</th></tr></thead>
      <tbody>{pois.map(({ id, name, status, eta_at: etaAt, off_m: offM, distance_m: left }) => (
        <tr key={id} class={status === 'already_passed' ? 'is-over' : ''}>
          <td class="name">{name}</td><td>{poiWords[status]}</td>
          <td>{etaAt === null ? '–' : <b>{clockTime(etaAt, nowMs, timeZone)}</b>}</td><td>{etaAt === null ? '–' : countdown(etaAt, nowMs)}</td>
          <td>{distance(offM)}</td><td>{left === null ? '–' : distance(left)}</td>
        </tr>
      ))}</tbody></table></Wide>
  );
}
