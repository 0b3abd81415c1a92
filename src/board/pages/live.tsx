import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { askList, askWindow } from '../live/live.ts';
import type { ListQuery, Sorting, Standing } from '../live/race-list.ts';
import { useLive } from '../live/use-live.ts';
import { Command, Empty } from '../parts/notices.tsx';
import { RaceLine } from '../parts/race-line.tsx';
import { useNow } from '../parts/use-now.ts';
import { VirtualList } from '../parts/virtual-list.tsx';
import { replaceSearch, sourceLink } from '../routes.ts';
import { changeSettings, toggleCollapsed, useSettings } from '../settings.ts';
import { standingWords } from '../words.ts';

const filters: readonly Standing[] = ['running', 'queued', 'correcting', 'overdue', 'stuck', 'cold'];
const sortings: Readonly<Record<Sorting, string>> = { finish: 'next to finish', newest: 'newest first', title: 'title', uncertain: 'least certain' };
const ROW_PX = 64;
const ROW_NARROW_PX = 118;
const GROUP_PX = 46;
const NARROW = '(max-width: 720px)';

/** Everything that runs now. */
export function LivePage({ search }: { readonly search: URLSearchParams }) {
  const { pinned, collapsed, isGrouped, timeZone } = useSettings();
  const [text, setText] = useState(search.get('q') ?? '');
  const [standings, setStandings] = useState<readonly Standing[]>(() => (search.get('state')?.split(',') ?? []).filter((name): name is Standing => name in standingWords));
  const [sorting, setSorting] = useState<Sorting>(() => (search.get('sort') ?? 'finish') in sortings ? (search.get('sort') ?? 'finish') as Sorting : 'finish');
  const list = useLive((live) => live.list);
  const status = useLive((live) => live.status);
  const nowMs = useNow();
  const isNarrow = useNarrow();
  const box = useRef<HTMLInputElement>(null);
  const query = useMemo<ListQuery>(() => ({ text, standings, sorting, isGrouped, collapsed, pinned }), [text, standings, sorting, isGrouped, collapsed, pinned]);
  useEffect(() => {
    askList(query);
    const next = new URLSearchParams();
    if (text !== '') next.set('q', text);
    if (standings.length > 0) next.set('state', standings.join(','));
    if (sorting !== 'finish') next.set('sort', sorting);
    replaceSearch('live', next);
  }, [query]);
  useSlash(box);
  const rowAt = (index: number) => list.rows[index - list.first];
  const isEmpty = list.total === 0;
  return (
    <main id="main">
      <h1 class="visually-hidden">Live races</h1>
      <div class="tools" role="search">
        <input ref={box} type="search" placeholder="Search title, source, branch…  ( / )" aria-label="Search races" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <div class="chips" role="group" aria-label="Show only">
          {filters.map((standing) => (
            <button
              key={standing} type="button" class={`chip is-${standing}`} aria-pressed={standings.includes(standing)}
              onClick={() => setStandings(standings.includes(standing) ? standings.filter((name) => name !== standing) : [...standings, standing])}
            >
              {standingWords[standing]} <span class="count">{list.counts[standing] ?? 0}</span>
            </button>
          ))}
        </div>
        <label>Order <select value={sorting} onChange={(event) => setSorting(event.currentTarget.value as Sorting)}>{Object.entries(sortings).map(([name, words]) => <option key={name} value={name}>{words}</option>)}</select></label>
        <label class="check"><input type="checkbox" checked={isGrouped} onChange={(event) => changeSettings({ isGrouped: event.currentTarget.checked })} /> by source</label>
      </div>
      {isEmpty && status === 'open' && <FirstMinute />}
      {!isEmpty && list.length === 0 && (
        <Empty title="Nothing fits">
          <p>{list.total} races are live, none of them fits the search.</p>
          <button type="button" onClick={() => { setText(''); setStandings([]); }}>Show all</button>
        </Empty>
      )}
      <VirtualList
        label={`Live races, ${list.matched} of ${list.total}`} length={list.length} rowHeight={isNarrow ? ROW_NARROW_PX : ROW_PX} groupHeight={GROUP_PX} groupsAt={list.groupsAt} onWindow={askWindow}
        drawRow={(index) => {
          const row = rowAt(index);
          if (row === undefined) return <div class="race is-coming" aria-hidden="true" />;
          if (row.kind === 'race') return <RaceLine row={row} nowMs={nowMs} timeZone={timeZone} />;
          return (
            <div class="group">
              <button type="button" class="fold" aria-expanded={!row.isCollapsed} aria-label={`${row.source}, ${row.count} races`} onClick={() => toggleCollapsed(row.source)}>{row.isCollapsed ? '▸' : '▾'}</button>
              {row.source.startsWith('★') ? <h2>{row.source}</h2> : <h2><a href={sourceLink(row.source)}>{row.source}</a></h2>}
              <span class="sub">{row.running} running{row.count > row.running ? `, ${row.count - row.running} other` : ''}{row.troubled > 0 ? `, ${row.troubled} in trouble` : ''}</span>
            </div>
          );
        }}
      />
    </main>
  );
}

/** What to do on an empty board. */
function FirstMinute() {
  const option = location.port === '7777' && location.hostname === '127.0.0.1' ? '' : ` --server ${location.origin}`;
  return (
    <Empty title="Nothing runs at the moment">
      <p>Run anything under Raceline; it appears here as soon as it starts:</p>
      <Command text={`npx raceline run${option} -- sleep 20`} />
      <p>Or watch a made-up CI fleet, with stages, cache hits, queues and cancellations:</p>
      <Command text={`npx raceline demo${option}`} />
      <p>From your own tools: <a href="/docs">the HTTP API</a>, or records on the Kafka topic <code>race-updates</code>.</p>
    </Empty>
  );
}

function useNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const media = matchMedia(NARROW);
    const take = (): void => setNarrow(media.matches);
    media.addEventListener('change', take);
    return () => media.removeEventListener('change', take);
  }, []);
  return isNarrow;
}

/** `/` goes to the search box, Escape empties it. */
function useSlash(box: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (event.key === '/' && !isTyping) {
        event.preventDefault();
        box.current?.focus();
      }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
