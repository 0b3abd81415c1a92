import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { skipped } from './engines/engines.ts';

const root = new URL('../..', import.meta.url).pathname;
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

function chromiumPath(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}

/** Why no browser can be driven here; null = one can. */
export function whyNoBrowser(): string | null {
  return chromiumPath() === null ? skipped('tests of the board need Chromium') : null;
}

/** A browser with a fresh profile. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath()!, args: FLAGS });
}

/** Builds the board as `npm run board` does. */
export function buildBoard(): void {
  execFileSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--config', 'src/board/vite.config.ts'], { cwd: root });
}
