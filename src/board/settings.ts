import { useEffect, useState } from 'preact/hooks';

export type Theme = 'auto' | 'light' | 'dark';

/** What a person has chosen; kept in this browser. */
export type Settings = {
  readonly theme: Theme;
  /** An IANA name; null = this machine's. */
  readonly timeZone: string | null;
  readonly isNotifying: boolean;
  readonly pinned: readonly string[];
  readonly collapsed: readonly string[];
  readonly isGrouped: boolean;
};

const KEY = 'raceline-settings';
const MAX_PINNED = 50;
const DEFAULTS: Settings = { theme: 'auto', timeZone: null, isNotifying: false, pinned: [], collapsed: [], isGrouped: true };

let settings: Settings = read();
const listeners = new Set<() => void>();

function read(): Settings {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>;
    return { ...DEFAULTS, ...saved };
  } catch {
    return DEFAULTS;
  }
}

export function currentSettings(): Settings {
  return settings;
}

export function changeSettings(change: Partial<Settings>): void {
  settings = { ...settings, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Without storage they last as long as the page.
  }
  for (const listener of listeners) listener();
}

export function togglePinned(raceId: string): void {
  const { pinned } = settings;
  changeSettings({ pinned: pinned.includes(raceId) ? pinned.filter((id) => id !== raceId) : [...pinned, raceId].slice(-MAX_PINNED) });
}

export function toggleCollapsed(source: string): void {
  const { collapsed } = settings;
  changeSettings({ collapsed: collapsed.includes(source) ? collapsed.filter((name) => name !== source) : [...collapsed, source] });
}

// Another window of the same browser changed them.
addEventListener('storage', ({ key }) => {
  if (key !== KEY) return;
  settings = read();
  for (const listener of listeners) listener();
});

export function onSettings(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSettings(): Settings {
  const [value, setValue] = useState(settings);
  useEffect(() => {
    setValue(settings);
    return onSettings(() => setValue(settings));
  }, []);
  return value;
}
