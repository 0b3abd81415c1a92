import { currentLive, onLive } from './live/live.ts';
import type { RaceRow, Standing } from './live/race-list.ts';
import { raceLink } from './routes.ts';
import { currentSettings } from './settings.ts';
import { finishText, spell, standingWords } from './words.ts';

const TITLE = 'Raceline';
const worthSaying: ReadonlySet<Standing> = new Set(['passed', 'failed', 'canceled', 'abandoned', 'overdue', 'stuck']);
const colours: Readonly<Partial<Record<Standing, string>>> = { passed: '#16a34a', failed: '#dc2626', overdue: '#d97706', stuck: '#d97706', canceled: '#64748b', abandoned: '#64748b' };

/** Pinned races in the tab's title and icon; if a person has asked for it, in notifications. */
export function watchPinned(): void {
  const standings = new Map<string, Standing>();
  let icon = '';
  onLive(() => {
    const { pinned } = currentLive().list;
    for (const row of pinned) {
      const before = standings.get(row.id);
      standings.set(row.id, row.standing);
      if (before !== undefined && before !== row.standing && worthSaying.has(row.standing)) notify(row);
    }
    const first = pinned.find(({ completedAt }) => completedAt === null) ?? pinned[0];
    document.title = first === undefined ? TITLE : titleOf(first);
    const next = first === undefined ? './flag.svg' : iconOf(first);
    if (next === icon) return;
    icon = next;
    document.querySelector<HTMLLinkElement>('link[rel=icon]')!.href = next;
  });
}

function titleOf(row: RaceRow): string {
  const { main } = finishText(row, Date.now(), currentSettings().timeZone);
  const isRunning = row.standing === 'running' || row.standing === 'correcting';
  return `${isRunning ? `${Math.floor(row.bar.shown)} % · ` : ''}${main} · ${row.title.slice(0, 60)}`;
}

/** A ring that fills up: drawn anew each five percent. */
function iconOf(row: RaceRow): string {
  const colour = colours[row.standing] ?? '#2563eb';
  const share = row.completedAt === null ? Math.floor(row.bar.shown / 5) / 20 : 1;
  const length = 2 * Math.PI * 11;
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="11" fill="none" stroke="#94a3b8" stroke-width="7"/><circle cx="16" cy="16" r="11" fill="none" stroke="${colour}" stroke-width="7" stroke-dasharray="${(share * length).toFixed(1)} 99" transform="rotate(-90 16 16)"/></svg>`)}`;
}

function notify(row: RaceRow): void {
  if (!currentSettings().isNotifying || !('Notification' in globalThis) || Notification.permission !== 'granted') return;
  const body = row.durationSec === null ? row.source : `${row.source}, ${spell(row.durationSec)}`;
  const notification = new Notification(`${standingWords[row.standing]}: ${row.title}`, { body, tag: row.id });
  notification.addEventListener('click', () => {
    focus();
    location.hash = raceLink(row.id);
    notification.close();
  });
}
