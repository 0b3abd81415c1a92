import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { buildBoard, openBrowser } from '../support/browser.ts';
import { quantileOf, rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import { startFeed } from './feed.ts';
import type { GatewayMessage, GatewayOrder, GatewayProcessOptions } from './processes/gateway.ts';

const RACES = 5_000;
const REVISIONS_A_RACE_PER_SEC = 4;
const CALM_REVISIONS_PER_SEC = 1_000;
const WARM_MS = 5_000;
const MEASURED_MS = 8_000;
/** `RACELINE_BOARD_MINUTES=10` shows whether memory stays flat. */
const WATCHED_MS = 60_000 * Number(process.env['RACELINE_BOARD_MINUTES'] ?? 0.5);

/** The board in Chromium with 5,000 races that all move: frames while somebody scrolls and filters, and its memory. */
export async function board(): Promise<Figure[]> {
  buildBoard();
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  const gateway = startChild<GatewayMessage>('gateway.ts', { maxConnections: 100 } satisfies GatewayProcessOptions);
  const { address } = await gateway.next();
  const races = Array.from({ length: RACES }, (_, i) => `race-${i}`);
  const feed = startFeed({ codec, order: (message: GatewayOrder) => gateway.send(message), races });
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1_280, height: 860 } });
    await page.goto(`${address}/#/`);
    const paintMs = await page.evaluate<number>(`new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntriesByName('first-contentful-paint')[0].startTime)).observe({ type: 'paint', buffered: true }))`);
    feed.start(RACES * REVISIONS_A_RACE_PER_SEC);
    await page.locator('[data-race-id]').first().waitFor();
    await sleep(WARM_MS);
    const idle = await framesWhile(page, async () => await sleep(MEASURED_MS));
    const scrolling = await framesWhile(page, async () => {
      await page.mouse.move(640, 500);
      for (const until = performance.now() + MEASURED_MS; performance.now() < until;) {
        await page.mouse.wheel(0, 240);
        await sleep(16);
      }
    });
    const filtering = await framesWhile(page, async () => {
      const box = page.getByRole('searchbox');
      for (const until = performance.now() + MEASURED_MS; performance.now() < until;) {
        await box.pressSequentially('race-12', { delay: 120 });
        await box.fill('');
      }
    });
    // The gateway's log in memory keeps all that it is fed: for minutes it gets less, while the page draws as often.
    feed.stop();
    feed.start(CALM_REVISIONS_PER_SEC);
    const before = await memoryOf(browser, page);
    await sleep(WATCHED_MS);
    const after = await memoryOf(browser, page);
    const minutes = `${rounded(WATCHED_MS / 60_000)} minutes later`;
    return [
      { name: 'first_paint_ms', value: Math.round(paintMs), says: 'first contentful paint, from this machine; bar 1,000' },
      ...([['still', idle], ['scrolling', scrolling], ['filtering', filtering]] as const).flatMap(([what, frames]) => [
        { name: `${what}_frames_per_sec`, value: rounded((frames.length * 1_000) / frames.reduce((a, b) => a + b, 0)), says: `${RACES} races, each revised ${REVISIONS_A_RACE_PER_SEC} times a second; bar 50 of 60` },
        { name: `${what}_frame_p95_ms`, value: rounded(quantileOf(frames, 0.95)), says: 'from one frame to the next' },
      ]),
      { name: 'heap_start_mb', value: rounded(before.heapBytes / 2 ** 20), says: 'of the page, after collecting' },
      { name: 'heap_end_mb', value: rounded(after.heapBytes / 2 ** 20), says: minutes },
      { name: 'resident_start_mb', value: rounded(before.residentBytes / 2 ** 20), says: 'of its process, the worker that keeps the races included' },
      { name: 'resident_end_mb', value: rounded(after.residentBytes / 2 ** 20), says: minutes },
    ];
  } finally {
    feed.stop();
    await browser.close();
    await gateway.stop();
  }
}

/** Times between frames meanwhile, ascending, ms. */
async function framesWhile(page: Page, doing: () => Promise<void>): Promise<number[]> {
  await page.evaluate(`globalThis.frames60 = []; (function tick(before) { requestAnimationFrame((now) => { if (before !== null) globalThis.frames60?.push(now - before); if (globalThis.frames60 !== undefined) tick(now); }); })(null)`);
  await doing();
  const frames = await page.evaluate<number[]>(`(() => { const all = globalThis.frames60; globalThis.frames60 = undefined; return all; })()`);
  return frames.sort((a, b) => a - b);
}

async function memoryOf(browser: Browser, page: Page): Promise<{ readonly heapBytes: number; readonly residentBytes: number }> {
  const [ofPage, ofBrowser] = [await page.context().newCDPSession(page), await browser.newBrowserCDPSession()];
  await ofPage.send('HeapProfiler.collectGarbage');
  const { usedSize } = await ofPage.send('Runtime.getHeapUsage');
  const { processInfo } = await ofBrowser.send('SystemInfo.getProcessInfo');
  await Promise.all([ofPage.detach(), ofBrowser.detach()]);
  const residentKb = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0));
  return { heapBytes: usedSize, residentBytes: 1_024 * Math.max(...residentKb) };
}
