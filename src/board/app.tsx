import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { request, savedToken, saveToken, ApiError } from './api/http.ts';
import { openLive } from './live/live.ts';
import { useLive } from './live/use-live.ts';
import { Empty } from './parts/notices.tsx';
import { HealthPage } from './pages/health.tsx';
import { HistoryPage } from './pages/history.tsx';
import { JourneyPage } from './pages/journey.tsx';
import { JourneysPage } from './pages/journeys.tsx';
import { LivePage } from './pages/live.tsx';
import { RacePage } from './pages/race.tsx';
import { RebuildsPage } from './pages/rebuilds.tsx';
import { SourcePage } from './pages/source.tsx';
import { useRoute, type Route } from './routes.ts';
import { changeSettings, useSettings, type Theme } from './settings.ts';
import { spell } from './words.ts';

const pages = [['live', 'Live'], ['journeys', 'Journeys'], ['history', 'History'], ['rebuilds', 'Rebuilds'], ['health', 'Health']] as const;
const zones = ['UTC', 'America/Los_Angeles', 'America/New_York', 'Europe/London', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Shanghai', 'Asia/Tokyo', 'Australia/Sydney'];
/** A cut shorter than this is nobody's concern. */
const QUIET_CUT_MS = 2_000;

/** The frame around every page. */
export function App() {
  const route = useRoute();
  const [isRefused, setRefused] = useState(false);
  useEffect(() => {
    void request('/v1/races?limit=1').then(() => openLive(savedToken()), (error: unknown) => {
      if (error instanceof ApiError && error.status === 401) setRefused(true);
      else openLive(savedToken());
    });
  }, []);
  if (isRefused) return <TokenForm onAccepted={() => { setRefused(false); openLive(savedToken()); }} />;
  const here = route.page === 'race' || route.page === 'source' || route.page === 'unknown' ? 'live' : route.page === 'journey' ? 'journeys' : route.page;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.setAttribute('tabindex', '-1'); document.getElementById('main')?.focus(); }}>Skip to the content</a>
      <header class="top">
        <a class="brand" href="#/"><img src="./flag.svg" alt="" width={22} height={22} /> Raceline</a>
        <nav aria-label="Pages">{pages.map(([name, words]) => <a key={name} href={name === 'live' ? '#/' : `#/${name}`} aria-current={here === name ? 'page' : undefined}>{words}</a>)}<a href="/docs">API</a></nav>
        <Connection />
        <Preferences />
      </header>
      <Page route={route} />
    </>
  );
}

function Page({ route }: { readonly route: Route }): ComponentChildren {
  switch (route.page) {
    case 'live': return <LivePage search={route.search} key={route.search.get('q') ?? ''} />;
    case 'race': return <RacePage raceId={route.raceId} key={route.raceId} />;
    case 'source': return <SourcePage source={route.source} key={route.source} />;
    case 'history': return <HistoryPage search={route.search} key={route.search.toString()} />;
    case 'journeys': return <JourneysPage search={route.search} key={route.search.toString()} />;
    case 'journey': return <JourneyPage raceId={route.raceId} key={route.raceId} />;
    case 'rebuilds': return <RebuildsPage />;
    case 'health': return <HealthPage />;
    case 'unknown': return <main id="main"><Empty title="There is no such page"><p><a href="#/">To the live races</a></p></Empty></main>;
  }
}

/** Whether what is shown is still true. */
function Connection() {
  const status = useLive((live) => live.status);
  const lastOpenMs = useLive((live) => live.lastOpenMs);
  const [cutMs, setCutMs] = useState(0);
  useEffect(() => {
    if (status === 'open') {
      setCutMs(0);
      return undefined;
    }
    const since = Date.now();
    const timer = setInterval(() => setCutMs(Date.now() - since), 1_000);
    return () => clearInterval(timer);
  }, [status]);
  const isCut = status !== 'open' && cutMs >= QUIET_CUT_MS;
  return (
    <span class={`connection ${isCut ? 'is-cut' : status === 'open' ? 'is-open' : ''}`} role="status">
      {isCut ? (lastOpenMs === null ? 'No connection yet; trying' : `Connection lost ${spell(Math.round((Date.now() - lastOpenMs) / 5_000) * 5)} ago; trying again`) : status === 'open' ? 'live' : 'connecting'}
    </span>
  );
}

function Preferences() {
  const { theme, timeZone, isNotifying } = useSettings();
  const canNotify = 'Notification' in globalThis;
  const toggleNotifying = async (isWanted: boolean): Promise<void> => {
    const isGranted = isWanted && canNotify && (await Notification.requestPermission()) === 'granted';
    changeSettings({ isNotifying: isGranted });
  };
  return (
    <details class="preferences">
      <summary aria-label="Settings">⚙</summary>
      <div class="panel">
        <label>Theme <select value={theme} onChange={(event) => changeSettings({ theme: event.currentTarget.value as Theme })}><option value="auto">as the system</option><option value="light">light</option><option value="dark">dark</option></select></label>
        <label>Times in <select value={timeZone ?? ''} onChange={(event) => changeSettings({ timeZone: event.currentTarget.value === '' ? null : event.currentTarget.value })}><option value="">my time zone</option>{zones.map((zone) => <option key={zone}>{zone}</option>)}</select></label>
        <label class="check"><input type="checkbox" checked={isNotifying} disabled={!canNotify} onChange={(event) => void toggleNotifying(event.currentTarget.checked)} /> notify me about pinned races</label>
      </div>
    </details>
  );
}

/** The service wants a token: it is kept for this tab. */
function TokenForm({ onAccepted }: { readonly onAccepted: () => void }) {
  const [token, setToken] = useState(savedToken() ?? '');
  const [said, setSaid] = useState('');
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    saveToken(token.trim());
    try {
      await request('/v1/races?limit=1');
      onAccepted();
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <main id="main" class="empty">
      <h1>A token is needed</h1>
      <p>This service shows its races only to those who bring a token with the scope <code>read</code>.</p>
      <form class="tools" onSubmit={(event) => void submit(event)}>
        <label>Token <input type="password" autocomplete="off" value={token} onInput={(event) => setToken(event.currentTarget.value)} required /></label>
        <button type="submit">Open the board</button>
      </form>
      <p role="alert">{said}</p>
    </main>
  );
}
