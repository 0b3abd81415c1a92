import type { CDPSession, Page } from 'playwright-core';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { buildBoard, openBrowser, whyNoBrowser } from '../support/browser.ts';
import { quantileOf, rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import type { GatewayMessage, GatewayProcessOptions } from './processes/gateway.ts';
import { revisionFeed } from './revision-feed.ts';

const RACES = 5_000;
const SOURCES = 25;
/** A quarter of the races moves in each of a second's four frames, and each race once a second. */
const REVISED_EVERY_MS = 1_000;
const WATCHED_MS = 10_000;
const HEAP_EVERY_MS = 5_000;
/** How long the heap is watched; ten minutes tell of a slow leak. */
const HEAP_MS = 1_000 * Number(process.env['RACELINE_BOARD_SEC'] ?? 60);
const PAINTS = 5;
/** To ask what lies in the middle takes a layout: not at each frame. */
const LOOKED_AT_EVERY = 10;
const WORDS = ['build 7', 'main', 'source-12', 'nothing like it', 'race-4'];

/** The board in Chromium over a gateway with 5,000 running races, four frames a second: frames drawn, heap, first paint. */
export async function board(): Promise<Figure[]> {
  const why = whyNoBrowser();
  if (why !== null) throw new Error(why);
  buildBoard();
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  const gateway = startChild<GatewayMessage>('gateway.ts', { maxConnections: 100 } satisfies GatewayProcessOptions);
  const { address } = await gateway.next();
  const feed = revisionFeed({
    codec, order: gateway.send, revisedEveryMs: REVISED_EVERY_MS,
    raceIds: Array.from({ length: RACES }, (_, index) => `race-${index}`),
    raceAt: (index) => ({ source: `ci/source-${index % SOURCES}`, agoMs: 1_000 * (index % 600), totalMs: 1_000 * (900 + (index % 1_800)) }),
  });
  feed.start();
  const browser = await openBrowser();
  try {
    const paintsMs = [];
    for (let paint = 0; paint < PAINTS; paint++) paintsMs.push(await firstPaintMs(await browser.newPage(), address));
    const page = await browser.newPage({ viewport: { width: 1_280, height: 860 } });
    await page.goto(address);
    await page.locator(`[aria-label="Live races, ${RACES} of ${RACES}"] [data-race-id]`).first().waitFor();
    const still = await framesWhile(page, () => sleep(WATCHED_MS));
    const scrolling = await framesWhile(page, () => scroll(page));
    const filtering = await framesWhile(page, () => filter(page));
    const heap = await watchHeap(page);
    return [
      ...figuresOf('still', still, 'nobody touches it'), ...figuresOf('scrolling', scrolling, 'by the wheel, 20,000 px a second'), ...figuresOf('filtering', filtering, 'eight letters a second into the search'),
      { name: 'heap_start_mb', value: heap.startMb, says: `page and worker, after collecting; median of the first fifth of ${HEAP_MS / 1_000} s` },
      { name: 'heap_end_mb', value: heap.endMb, says: 'median of the last fifth' },
      { name: 'first_paint_ms', value: Math.round(quantileOf(paintsMs.sort((a, b) => a - b), 0.5)), says: `median of ${PAINTS} fresh pages, ${Math.round(paintsMs[0]!)} to ${Math.round(paintsMs.at(-1)!)}; bar 1,000` },
    ];
  } finally {
    feed.stop();
    await browser.close();
    await gateway.stop();
  }
}

/** @param perSec frames of each whole second, ascending. */
type Frames = { readonly perSec: readonly number[]; readonly deltasMs: readonly number[]; readonly blank: number };

function figuresOf(name: string, { perSec, deltasMs, blank }: Frames, how: string): Figure[] {
  return [
    { name: `${name}_fps_p5`, value: quantileOf(perSec, 0.05), says: `${how}; of ${perSec.length} seconds; bar 50` },
    { name: `${name}_fps_median`, value: quantileOf(perSec, 0.5), says: `the longest frame took ${Math.round(deltasMs.at(-1)!)} ms, one of a hundred over ${Math.round(quantileOf(deltasMs, 0.99))} ms` },
    { name: `${name}_blank_share`, value: rounded((LOOKED_AT_EVERY * blank) / deltasMs.length), says: 'of the frames whose middle row had not come yet' },
  ];
}

/** Counts animation frames meanwhile. */
async function framesWhile(page: Page, act: () => Promise<unknown>): Promise<Frames> {
  await page.evaluate(`{
    const seen = { at: [], frames: 0, blank: 0, isDone: false };
    window.framesSeen = seen;
    const take = (now) => {
      seen.at.push(now);
      if (++seen.frames % ${LOOKED_AT_EVERY} === 0 && document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('.is-coming')) seen.blank++;
      if (!seen.isDone) requestAnimationFrame(take);
    };
    requestAnimationFrame(take);
  }`);
  await act();
  const { at, blank } = await page.evaluate<{ at: number[]; blank: number }>('(window.framesSeen.isDone = true, window.framesSeen)');
  const deltasMs = at.slice(1).map((ms, index) => ms - at[index]!).sort((a, b) => a - b);
  const seconds = Map.groupBy(at, (ms) => Math.floor((ms - at[0]!) / 1_000));
  const whole = Math.floor((at.at(-1)! - at[0]!) / 1_000);
  return { perSec: Array.from({ length: whole }, (_, second) => seconds.get(second)?.length ?? 0).sort((a, b) => a - b), deltasMs, blank };
}

async function scroll(page: Page): Promise<void> {
  await page.mouse.move(640, 430);
  const untilMs = performance.now() + WATCHED_MS;
  for (let turn = 0; performance.now() < untilMs; turn++) {
    await Promise.all([page.mouse.wheel(0, turn % 200 < 150 ? 400 : -400), sleep(20)]);
  }
}

async function filter(page: Page): Promise<void> {
  const box = page.getByRole('searchbox');
  const untilMs = performance.now() + WATCHED_MS;
  for (let turn = 0; performance.now() < untilMs; turn++) {
    await box.focus();
    await page.keyboard.type(WORDS[turn % WORDS.length]!, { delay: 125 });
    await box.fill('');
  }
}

/** From the start of the navigation to the first contents on the screen. */
async function firstPaintMs(page: Page, address: string): Promise<number> {
  await page.goto(address);
  await page.locator('[data-race-id]').first().waitFor();
  const ms = await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
  await page.close();
  return ms;
}

/** What the page and its worker hold, MB. */
async function watchHeap(page: Page): Promise<{ readonly startMb: number; readonly endMb: number }> {
  const session = await page.context().newCDPSession(page);
  const askWorker = await workerOf(session);
  const askPage: Ask = (method) => session.send(method as 'Runtime.getHeapUsage');
  const sizes: number[] = [];
  for (const untilMs = performance.now() + HEAP_MS; performance.now() < untilMs; await sleep(HEAP_EVERY_MS)) {
    let bytes = 0;
    for (const ask of [askPage, askWorker]) {
      await ask('HeapProfiler.collectGarbage');
      bytes += (await ask('Runtime.getHeapUsage')).usedSize;
    }
    sizes.push(bytes / 2 ** 20);
  }
  const fifth = Math.ceil(sizes.length / 5);
  const median = (some: readonly number[]): number => rounded(quantileOf(some.toSorted((a, b) => a - b), 0.5));
  return { startMb: median(sizes.slice(0, fifth)), endMb: median(sizes.slice(-fifth)) };
}

type Ask = (method: 'HeapProfiler.collectGarbage' | 'Runtime.getHeapUsage') => Promise<{ usedSize: number }>;

/** A worker has a heap of its own, which is asked through the page's session. */
async function workerOf(session: CDPSession): Promise<Ask> {
  const attached = new Promise<string>((resolve) => {
    session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
      if (targetInfo.type === 'worker') resolve(sessionId);
    });
  });
  const waiting = new Map<number, (result: { usedSize: number }) => void>();
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id: number; result: { usedSize: number } };
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  let last = 0;
  return async (method) => {
    const id = ++last;
    const answered = new Promise<{ usedSize: number }>((resolve) => waiting.set(id, resolve));
    await session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    return answered;
  };
}
