import { currentSettings, onSettings } from './settings.ts';

/** The chosen theme on the document; `auto` leaves it to the system. */
export function applyTheme(): void {
  const apply = (): void => {
    const { theme } = currentSettings();
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  };
  apply();
  onSettings(apply);
}
