import { useMemo, useState } from 'preact/hooks';
import { getJson } from '../api/http.ts';
import { askRoute, useMapTiles, type Journey, type TravelRoute } from '../api/journeys.ts';
import { useQuery } from '../api/use-query.ts';
import { lineOf, pointOf } from '../map/plane.ts';
import { Command, Empty, Failure, Loading } from '../parts/notices.tsx';
import { RouteMap } from '../parts/route-map.tsx';
import { useNow } from '../parts/use-now.ts';
import { Wide } from '../parts/wide.tsx';
import { journeyLink, replaceSearch } from '../routes.ts';
import { useSettings } from '../settings.ts';
import { clockTime, delayText, distance, phaseWords, speed, spell } from '../words.ts';

const EVERY_MS = 3_000;
/** Of the map; the list goes on below. */
const MOST_ROUTES = 20;
const MOST_ROWS = 200;

/** Everything that travels: where it is, and when it will be there. */
export function JourneysPage({ search }: { readonly search: URLSearchParams }) {
  const [text, setText] = useState(search.get('q') ?? '');
  const answer = useQuery('journeys', () => getJson<{ journeys: Journey[]; total: number }>('/v1/journeys'), EVERY_MS);
  const all = answer.data?.journeys ?? [];
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = all.filter((journey) => words.every((word) => [journey.race_id, journey.title, journey.source, journey.route_id].some((field) => field.toLowerCase().includes(word))));
  const take = (next: string): void => {
    setText(next);
    replaceSearch('journeys', new URLSearchParams(next === '' ? {} : { q: next }));
  };
  return (
    <main id="main">
      <h1>Journeys</h1>
      {answer.error !== null && <Failure error={answer.error} again={answer.again} />}
      {answer.isLoading && <Loading what="the journeys" />}
      {answer.data !== null && all.length === 0 && <FirstJourney />}
      {all.length > 0 && (
        <>
          <div class="tools" role="search"><input type="search" placeholder="Search title, route, source…" aria-label="Search journeys" value={text} onInput={(event) => take(event.currentTarget.value)} /><span class="sub" role="status">{found.length} of {answer.data!.total}</span></div>
          {found.length === 0 ? <Empty title="Nothing fits"><p>{all.length} vehicles are followed, none of them fits the search.</p><button type="button" onClick={() => take('')}>Show all</button></Empty> : <Fleet journeys={found} />}
        </>
      )}
    </main>
  );
}

function Fleet({ journeys }: { readonly journeys: readonly Journey[] }) {
  const { timeZone } = useSettings();
  const nowMs = useNow();
  const tiles = useMapTiles();
  const routeIds = [...new Set(journeys.map(({ route_id: id }) => id))].slice(0, MOST_ROUTES).sort();
  const routes = useQuery(routeIds.join('\n'), () => knownRoutes(routeIds));
  const lines = useMemo(() => (routes.data ?? []).map((route) => ({ key: route.route_id, points: lineOf(route.line) })), [routes.data]);
  const marks = useMemo(() => journeys.map((journey) => ({
    key: journey.race_id, kind: journey.off_route ? 'stray' as const : 'vehicle' as const, at: pointOf(journey.lat, journey.lon), name: journey.title, headingDeg: journey.heading_deg, href: journeyLink(journey.race_id),
  })), [journeys]);
  return (
    <>
      <RouteMap label={`Map of ${journeys.length} vehicles on ${routeIds.length} routes`} lines={lines} marks={marks} subject={`${routeIds.join('\n')} ${lines.length}`} tiles={tiles} />
      <section>
        <Wide label="Journeys"><table><thead><tr><th>vehicle</th><th>at the end</th><th>against plan</th><th>next</th><th>phase</th><th>course</th><th>heard</th></tr></thead>
          <tbody>{journeys.slice(0, MOST_ROWS).map((journey) => (
            <tr key={journey.race_id} data-race-id={journey.race_id}>
              <td class="name"><a href={journeyLink(journey.race_id)}>{journey.title}</a><br /><span class="sub">{journey.route_id}</span></td>
              <td>{endText(journey, nowMs, timeZone)}</td>
              <td>{journey.delay_sec === null ? '–' : delayText(journey.delay_sec)}</td>
              <td>{journey.leg === null ? '–' : journey.leg.to}{journey.remaining_m !== null && <><br /><span class="sub">{distance(journey.remaining_m)} to the end</span></>}</td>
              <td><span class={`pill is-${journey.phase}`}>{phaseWords[journey.phase]}</span></td>
              <td>{journey.off_route ? <span class="pill is-overdue">{distance(journey.off_m)} off</span> : 'on the route'}{journey.speed_mps !== null && <><br /><span class="sub">{speed(journey.speed_mps)}</span></>}</td>
              <td>{spell((nowMs - journey.at) / 1_000)} ago</td>
            </tr>
          ))}</tbody></table></Wide>
        {journeys.length > MOST_ROWS && <p class="sub">{journeys.length - MOST_ROWS} more: search for the one you look for.</p>}
      </section>
    </>
  );
}

function endText({ arrived_at: arrivedAt, eta_at: etaAt, p90_at: p90At }: Journey, nowMs: number, timeZone: string | null) {
  if (arrivedAt !== null) return `arrived ${clockTime(arrivedAt, nowMs, timeZone)}`;
  if (etaAt === null) return 'not known';
  return <><b>{clockTime(etaAt, nowMs, timeZone)}</b>{p90At !== null && p90At > etaAt && <><br /><span class="sub">likely by {clockTime(p90At, nowMs, timeZone)}</span></>}</>;
}

/** Those that still exist. */
async function knownRoutes(routeIds: readonly string[]): Promise<TravelRoute[]> {
  const answers = await Promise.allSettled(routeIds.map(askRoute));
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

/** What to do where nothing travels yet. */
function FirstJourney() {
  const option = location.port === '7777' && location.hostname === '127.0.0.1' ? '' : ` --server ${location.origin}`;
  return (
    <Empty title="Nothing travels at the moment">
      <p>Watch a made-up van on its round; it appears here within seconds:</p>
      <Command text={`npx raceline demo${option}`} />
      <p>Or make a route of your own, from a KML, GPX or GeoJSON file or of named points:</p>
      <Command text={routeLine(location.origin)} />
      <p>say what travels on it:</p>
      <Command text={vehicleLine(location.origin)} />
      <p>and send where it is, again and again:</p>
      <Command text={positionLine(location.origin)} />
    </Empty>
  );
}

function routeLine(origin: string): string {
  return `curl ${origin}/v1/routes?route_id=ferry -H 'content-type: application/json' -d '{"name": "Ferry", "points": [{"lat": 60.17, "lon": 24.96, "name": "Helsinki"}, {"lat": 59.44, "lon": 24.75, "name": "Tallinn"}]}'`;
}

function vehicleLine(origin: string): string {
  return `echo '{"race_id": "ferry-1", "source": "ferries", "title": "Ferry 1", "state": "queued", "route_id": "ferry"}' | curl ${origin}/v1/updates -H 'content-type: application/x-ndjson' --data-binary @-`;
}

function positionLine(origin: string): string {
  return `echo '{"race_id": "ferry-1", "at": "'$(date -u +%FT%TZ)'", "lat": 60.0, "lon": 24.91}' | curl ${origin}/v1/telemetry -H 'content-type: application/x-ndjson' --data-binary @-`;
}
