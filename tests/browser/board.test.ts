import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { promisify } from 'node:util';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeLine } from '../../src/cli/update-target.ts';
import { pointOfInterest, type RouteRecord } from '../../src/journey/route.ts';
import type { TelemetryPoint } from '../../src/journey/telemetry.ts';
import { emptyUpdate, type RaceUpdate } from '../../src/race/update.ts';
import { start } from '../integration/cli/process.ts';
import { boardSampler } from '../support/board-sampler.ts';
import { buildBoard, openBrowser, whyNoBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { drive, lineOfStops, readyRoute } from '../support/journeys.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';

const views = [
  { name: 'desktop, light', viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  { name: 'phone, dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
] as const;
const SOURCE = 'ci/board';
/** One pixel. */
const TILE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

describe.skipIf(whyNoBrowser() !== null)('the board in Chromium', { timeout: 90_000 }, () => {
  const directory = temporaryDirectory();
  let service: RunningService;
  let browser: Browser;
  let port: number;
  let tiles: Server;
  const tilesAsked: string[] = [];
  const env: Record<string, string> = { RACELINE_DATA_DIR: directory.path };

  beforeAll(async () => {
    buildBoard();
    port = await freePort();
    tiles = createServer((request, response) => {
      tilesAsked.push(request.url!);
      response.writeHead(200, { 'content-type': 'image/png', 'cross-origin-resource-policy': 'cross-origin' }).end(Buffer.from(TILE, 'base64'));
    });
    await new Promise<void>((resolve) => tiles.listen(0, '127.0.0.1', resolve));
    const address = tiles.address() as { port: number };
    Object.assign(env, { RACELINE_MAP_TILES_URL: `http://127.0.0.1:${address.port}/{z}/{x}/{y}.png`, RACELINE_MAP_ATTRIBUTION: '© Surveyors' });
    [service, browser] = await Promise.all([startService(env, { port }), openBrowser()]);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await service?.kill();
    tiles?.close();
    directory.remove();
  });

  test('says on an empty board how the first race appears', async () => {
    const page = await open('#/');
    await page.getByText('Nothing runs at the moment').waitFor();
    expect(await page.locator('.command code').allTextContents()).toEqual([`npx raceline run --server ${service.url} -- sleep 20`, `npx raceline demo --server ${service.url}`]);
    await page.context().close();
  });

  test('shows each state for what it is, and no number that it does not know', async () => {
    const nowMs = Date.now();
    const past = Array.from({ length: 12 }, (_, index) => run(`past-${index}`, 'build', nowMs - 3_600_000 + 60_000 * index, 100 + index % 3)).flat();
    const short = Array.from({ length: 12 }, (_, index) => [...run(`short-${index}`, 'lint', nowMs - 3_600_000 + 60_000 * index, 1), ...run(`unit-${index}`, 'unit', nowMs - 3_600_000 + 60_000 * index, 6)]).flat();
    await post([...past, ...short]);
    // Who is forecast before its like runs are learned is not silent for long until it is by a guess.
    let probes = 0;
    await waitUntil('what ended is learned', async () => {
      const id = `probe-${probes++}`;
      await post([say(id, { title: 'unit', state: 'queued', queued_at: Date.now() })]);
      const { eta } = await (await fetch(`${service.url}/v1/races/${id}`)).json() as { eta: { basis: string } | null };
      await post([say(id, { state: 'canceled', completed_at: Date.now() })]);
      return eta?.basis === 'key';
    });
    await post([
      say('known', { title: 'build', state: 'running', started_at: nowMs - 30_000, progress: 25, metadata: { branch: 'main' } }),
      say('late', { title: 'unit', state: 'running', started_at: nowMs - 12_000 }),
      say('silent', { title: 'lint', state: 'running', started_at: nowMs - 500 }),
      say('waiting', { title: 'build', state: 'queued', queued_at: nowMs - 5_000 }),
      { ...say('cold', { title: 'never seen', state: 'running', started_at: nowMs - 4_000 }), source: 'ci/new' },
    ]);
    const page = await open('#/');
    const isShown = (id: string, states: RegExp) => waitUntil(`${id} is ${states.source}`, async () => states.test(await page.locator(`[data-race-id="${id}"]`).getAttribute('data-state') ?? ''), 60_000);
    await Promise.all([isShown('known', /^(running|correcting)$/), isShown('late', /^overdue$/), isShown('silent', /^stuck$/), isShown('waiting', /^queued$/), isShown('cold', /^cold$/)]);
    expect(await page.locator('[data-race-id="known"] .finish').innerText()).toMatch(/^\d\d:\d\d(:\d\d)?\s+likely by \d\d:\d\d/);
    expect(await page.locator('[data-race-id="cold"] .finish').innerText()).toMatch(/^running .*\s+no history to judge by$/);
    expect(await page.locator('[data-race-id="waiting"] .finish').innerText()).toMatch(/waiting \d+ s\s+then about 1 min [34]\d s/);
    expect(await page.locator('[data-race-id="cold"] [role=progressbar]').getAttribute('aria-valuenow')).toBeNull();
    await page.context().close();
  });

  test('says where nothing travels how the first journey appears, and the lines are true', async () => {
    const page = await open('#/journeys');
    await page.getByText('Nothing travels at the moment').waitFor();
    const [demo, ...lines] = await page.locator('.command code').allTextContents();
    expect(demo).toBe(`npx raceline demo --server ${service.url}`);
    expect(lines).toHaveLength(3);
    const run = (line: string) => promisify(execFile)('sh', ['-c', line]);
    for (const line of lines) expect((await run(line)).stdout).not.toContain('"error"');
    // Positions are taken once the route and the race are known.
    await waitUntil('the vehicle is shown', async () => {
      await run(lines[2]!);
      return (await page.locator('tr[data-race-id="ferry-1"]').count()) === 1;
    }, 30_000);
    await page.getByRole('link', { name: 'Ferry 1' }).click();
    await page.getByRole('heading', { name: 'Ferry 1' }).waitFor();
    await page.getByRole('row', { name: /Tallinn/ }).waitFor();
    const van = start(['demo', '--history', '1s', '--for', '20s', '--server', service.url]);
    await page.goto(`${service.url}/#/journeys?q=van`);
    await page.getByRole('link', { name: 'van 1, round' }).waitFor({ timeout: 30_000 });
    expect(await van.ended).toBe(0);
    await page.context().close();
  });

  test('shows a vehicle on its route: leg, waypoints with their countdowns, delay and course', async () => {
    const startMs = Math.floor(Date.now() / 1_000) * 1_000 - 250_000;
    const record = { ...lineOfStops('line-1', 4, startMs), pois: [pointOfInterest('tower', 'Tower', { lat: 50.02, lon: 8.01 })] };
    await travel(record, 'bus', startMs - 60_000, drive('bus', readyRoute(record), startMs).slice(0, 251));
    const page = await open('#/journey/bus');
    await page.getByText('stop 2 → stop 3').waitFor({ timeout: 30_000 });
    expect(await page.locator('.facts').innerText()).toMatch(/Against plan\s+2 min \d\d s early\s+Course\s+on the route[\s\S]*Speed\s+72 km\/h/);
    expect(await page.getByRole('img', { name: /^Leg 3 of 3, from stop 2 to stop 3: \d+ % of it is behind$/ }).count()).toBe(1);
    const rows = page.getByRole('region', { name: 'Waypoints' }).locator('tbody tr');
    expect(await rows.count()).toBe(4);
    expect(await rows.nth(1).innerText()).toMatch(/stop 1\s+passed \d\d:\d\d/);
    expect(await rows.nth(3).innerText()).toMatch(/stop 3\s+\d\d:\d\d\s+(in|due since) \d+ (s|min)/);
    expect(await rows.nth(3).getAttribute('aria-current')).toBe('step');
    const picture = page.locator('.map-picture');
    expect(await picture.locator('.mark.is-vehicle, .mark.is-next, .mark.is-poi').count()).toBe(3);
    expect(await picture.locator('.way').count()).toBe(2);
    expect(await picture.locator('.arrow').getAttribute('transform')).toMatch(/rotate\((0|359\.\d+)\)$/);
    expect(await page.getByRole('region', { name: 'Points of interest' }).getByRole('row', { name: /Tower/ }).innerText()).toMatch(/Tower\s+passed\s+–\s+–\s+7\d\d m\s+–/);
    await page.getByRole('link', { name: 'what was said, and why' }).click();
    await page.getByRole('link', { name: 'on the map' }).click();
    await picture.waitFor();
    await page.context().close();
  });

  test('moves and zooms the map with keys, mouse and fingers, and draws it on tiles where there are any', async () => {
    const page = await open('#/journey/bus', { hasTouch: true });
    const picture = page.locator('.map-picture');
    await page.getByText('© Surveyors').waitFor();
    await waitUntil('tiles are drawn', async () => (await picture.locator('.tile').evaluateAll((images) => images.filter((image) => (image as unknown as { naturalWidth: number }).naturalWidth > 0).length)) > 3);
    expect(tilesAsked.every((path) => /^\/\d+\/\d+\/\d+\.png$/.test(path))).toBe(true);
    const zoom = async (): Promise<number> => Number(await picture.getAttribute('data-zoom'));
    const centre = async (): Promise<readonly number[]> => (await picture.getAttribute('data-centre'))!.split(' ').map(Number);
    const [fitted, middle] = [await zoom(), await centre()];
    await picture.focus();
    await page.keyboard.press('+');
    expect(await zoom()).toBeCloseTo(fitted * 1.6, 0);
    await page.keyboard.press('ArrowRight');
    expect((await centre())[0]).toBeGreaterThan(middle[0]!);
    await page.keyboard.press('0');
    expect([await zoom(), await centre()]).toEqual([fitted, middle]);
    const box = (await picture.boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - 60, y - 30, { steps: 4 });
    await page.mouse.up();
    const dragged = await centre();
    expect([dragged[0]! > middle[0]!, dragged[1]! > middle[1]!]).toEqual([true, true]);
    await page.mouse.wheel(0, -200);
    await waitUntil('the wheel zooms', async () => (await zoom()) > fitted * 1.5);
    await page.getByRole('button', { name: 'Show everything' }).click();
    await page.getByRole('button', { name: 'Zoom out' }).click();
    expect(await zoom()).toBeLessThan(fitted);
    await page.getByRole('button', { name: 'Show everything' }).click();
    const touch = await page.context().newCDPSession(page);
    const fingers = (type: string, apartPx: number | null) => touch.send('Input.dispatchTouchEvent' as never, { type, touchPoints: apartPx === null ? [] : [{ x: x - apartPx, y, id: 1 }, { x: x + apartPx, y, id: 2 }] } as never);
    await fingers('touchStart', 40);
    for (const apartPx of [60, 80]) await fingers('touchMove', apartPx);
    await fingers('touchEnd', null);
    await waitUntil('two fingers zoom', async () => Math.abs((await zoom()) / fitted - 2) < 0.2);
    await page.context().close();
    const plain = await open('#/');
    await plain.route('**/v1/map', (route) => route.fulfill({ json: { tiles: null } }));
    await plain.goto(`${service.url}/#/journey/bus`);
    await plain.locator('.map-picture .mark.is-vehicle').waitFor();
    expect([await plain.locator('.tile').count(), await plain.locator('.attribution').count()]).toEqual([0, 0]);
    // Pictures of anybody else are not loaded, whatever the page is told.
    await plain.route('**/v1/map', (route) => route.fulfill({ json: { tiles: { tile_url: `http://localhost:${(tiles.address() as { port: number }).port}/else/{z}/{x}/{y}.png`, attribution: 'x' } } }));
    await plain.reload();
    await plain.locator('.tile').first().waitFor({ state: 'attached' });
    await plain.waitForLoadState('networkidle').catch(() => undefined);
    expect(tilesAsked.filter((path) => path.startsWith('/else'))).toEqual([]);
    await plain.context().close();
  });

  test('shows a route over the antimeridian in one piece', async () => {
    const startMs = Math.floor(Date.now() / 1_000) * 1_000 - 2_700_000;
    const record = { ...lineOfStops('dateline', 3, startMs), points: [178.9, 179.9, -179.1].map((lon, index) => ({ lat: -17, lon, name: `isle ${index}`, planned_at: startMs + index * 3_600_000, dwell_sec: null })) };
    await travel(record, 'plane', startMs - 60_000, drive('plane', readyRoute(record), startMs, 50).slice(0, 2_701).filter((_, second) => second % 10 === 0));
    const page = await open('#/journey/plane');
    await page.getByText('isle 1 → isle 2').waitFor({ timeout: 30_000 });
    const marks = await page.locator('.map-picture circle').evaluateAll((circles) => circles.map((circle) => Number(circle.getAttribute('cx'))));
    const width = (await page.locator('.map-picture').boundingBox())!.width;
    expect(marks).toHaveLength(4);
    expect(Math.max(...marks) - Math.min(...marks)).toBeGreaterThan(width / 2);
    for (const x of marks) expect(x > 0 && x < width).toBe(true);
    expect(Number(await page.locator('.map-picture').getAttribute('data-zoom'))).toBeGreaterThan(200);
    await page.goto(`${service.url}/#/journeys`);
    await page.locator('tr[data-race-id="plane"]').waitFor();
    await page.context().close();
  });

  test.each(views)('has no serious finding of axe on any page ($name)', async ({ viewport, colorScheme }) => {
    const page = await open('#/', { viewport, colorScheme });
    for (const path of ['#/', '#/journeys', '#/journey/bus', '#/race/known', `#/source/${encodeURIComponent(SOURCE)}`, '#/history', '#/rebuilds', '#/health', '#/nowhere']) {
      await page.goto(`${service.url}/${path}`);
      await page.locator('main').waitFor();
      await waitUntil('everything is loaded', async () => (await page.locator('.loading').count()) === 0);
      await page.evaluate(axe.source);
      const findings = await page.evaluate(async () => {
        const { violations } = await (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe.run();
        return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      });
      expect([path, findings]).toEqual([path, []]);
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect([path, overflow]).toEqual([path, 0]);
    }
    await page.context().close();
  });

  test('tells of a race its stages, what was said and the like runs, and goes on while it runs', async () => {
    await post([say('known', { stage: { name: 'compile', state: 'running', seq: 0, started_at: Date.now(), completed_at: null, planned_sec: null }, event: { type: 'note', at: Date.now(), data: 'hello' } })]);
    const page = await open('#/race/known');
    await page.locator('.stages').getByText('compile').waitFor();
    await page.getByText('hello').waitFor();
    await waitUntil('like runs are listed', async () => (await page.locator('section', { hasText: 'Like runs' }).locator('tbody tr').count()) >= 10);
    await page.locator('.plot canvas').first().waitFor();
    await post([say('known', { state: 'passed', completed_at: Date.now() })]);
    await page.locator('.facts').getByText('Passed').waitFor();
    await page.context().close();
  });

  test('marks in the list what stages did, though a stage that goes as expected is no revision', async () => {
    // At the end of its first stage, by its plan.
    const plan = ['fetch', 'build', 'check'].map((name) => ({ name, planned_sec: 200, planned_at: null }));
    const stage = (name: string, seq: number, state: 'running' | 'passed') => say('stages', { stage: { name, state, seq, started_at: null, completed_at: null, planned_sec: null } });
    const revisionOf = async (): Promise<number> => ((await (await fetch(`${service.url}/v1/races/stages`)).json()) as { eta: { revision: number } | null }).eta?.revision ?? 0;
    await post([{ ...say('stages', { title: 'long job', state: 'running', started_at: Date.now() - 200_000, plan }), source: 'ci/new' }]);
    await waitUntil('it has a forecast', async () => (await revisionOf()) > 0);
    const page = await open('#/');
    const marks = () => page.locator('[data-race-id="stages"] .strip span').evaluateAll((spans) => spans.map((span) => span.className));
    await waitUntil('the plan is shown', async () => (await marks()).length === 3);
    const revision = await revisionOf();
    await post([{ ...stage('fetch', 0, 'passed'), source: 'ci/new' }, { ...stage('build', 1, 'running'), source: 'ci/new' }]);
    await waitUntil('both are marked', async () => (await marks()).join() === 'is-passed is-done,is-running,is-pending', 5_000);
    expect(await revisionOf()).toBe(revision);
    await post([{ ...say('stages', { state: 'canceled', completed_at: Date.now() }), source: 'ci/new' }]);
    await page.context().close();
  });

  test('rebuilds a source when asked, shows the verdict with its reasons, and takes what is on trial back', async () => {
    const nowMs = Date.now();
    const past = Array.from({ length: 700 }, (_, index) => run(`kind-${index}`, index % 2 === 0 ? `compile target ${index}` : `render video ${index}`, nowMs - 7_200_000 + 5_000 * index, (index % 2 === 0 ? 60 : 600) + index % 7));
    await post(past.flat());
    const page = await open('#/rebuilds');
    page.on('dialog', (dialog) => void dialog.accept());
    await page.getByText('Nothing was rebuilt yet').waitFor();
    await waitUntil('history holds the races', async () => Number((await query<{ n: number }>(service.url, `SELECT count() AS n FROM races WHERE source = '${SOURCE}'`))[0]?.n) >= 700);
    await page.getByLabel('Source').fill(SOURCE);
    await page.getByRole('button', { name: 'Rebuild', exact: true }).click();
    await page.getByText(`A rebuild of ${SOURCE} was asked for.`).waitFor();
    const row = page.getByRole('region', { name: 'Runs' }).locator('tbody tr').first();
    await row.locator('.pill', { hasText: 'accepted' }).waitFor({ timeout: 60_000 });
    await row.locator('summary').click();
    expect(await row.locator('.checks li').count()).toBeGreaterThan(2);
    const versions = page.getByRole('region', { name: 'Versions by source' });
    await versions.getByText('shadow: forecasts, serves none').waitFor({ timeout: 30_000 });
    await versions.getByRole('button', { name: 'Promote' }).click();
    await versions.getByText('canary: serves').waitFor({ timeout: 30_000 });
    await versions.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('region', { name: 'Decisions' }).getByText('Rolled back by').first().waitFor({ timeout: 30_000 });
    await page.context().close();
  });

  test('shows how far a rebuild is until its verdict is there, and that it runs already to who asks again', async () => {
    const source = 'ci/many';
    const nowMs = Date.now();
    const kinds = ['compile', 'render', 'deploy', 'index', 'check'];
    // So many that the rebuild still runs when the page asks again, beside other work.
    await post(Array.from({ length: 16_000 }, (_, index) => run(`many-${index}`, `${kinds[index % 5]} ${index.toString(36)} ${(index * 7_919).toString(36)}`, nowMs - 7_200_000 + 250 * index, 60 * (1 + index % 5) + index % 7))
      .flat().map((update) => ({ ...update, source })));
    await waitUntil('history holds the races', async () => Number((await query<{ n: number }>(service.url, `SELECT count() AS n FROM races WHERE source = '${source}'`))[0]?.n) >= 16_000, 60_000);
    const page = await open('#/rebuilds');
    const ask = async (): Promise<void> => {
      await page.getByRole('combobox', { name: 'Source' }).fill(source);
      await page.getByRole('button', { name: 'Rebuild', exact: true }).first().click();
    };
    await ask();
    const bar = page.getByRole('progressbar', { name: `Rebuild of ${source}` });
    await bar.waitFor({ timeout: 30_000 });
    const percent = Number(await bar.getAttribute('aria-valuenow'));
    expect(percent).toBeGreaterThanOrEqual(0);
    expect(percent).toBeLessThanOrEqual(100);
    await ask();
    await page.getByText(`A rebuild of ${source} runs already`).waitFor();
    await page.getByRole('region', { name: 'Runs' }).locator('tr', { hasText: source }).locator('.pill', { hasText: /accepted|refused/ }).waitFor({ timeout: 60_000 });
    await bar.waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('holds what came true of a source against what the spread of like runs allows', async () => {
    const page = await open(`#/source/${encodeURIComponent(SOURCE)}`);
    const section = page.locator('section', { hasText: 'How right the forecasts were' });
    await section.getByText(/of the forecasts at submission were within 20 %.*Like runs differ/).waitFor({ timeout: 30_000 });
    await section.locator('.u-legend', { hasText: 'the ceiling of like runs' }).waitFor();
    await page.context().close();
  });

  test('can be used with the keyboard alone', async () => {
    const page = await open('#/');
    await page.locator('[data-race-id="waiting"]').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('build');
    await waitUntil('only what fits is left', async () => (await page.locator('[data-race-id="cold"]').count()) === 0);
    // The address follows the letters by a frame, and `b` alone leaves `cold` out already.
    await waitUntil('the address has all of it', () => page.url().includes('q=build'));
    expect(page.url()).toContain('q=build');
    const focused = () => page.evaluate<string>('document.activeElement?.getAttribute("aria-label") ?? ""');
    for (let presses = 0; presses < 40 && !(await focused()).startsWith('Pin '); presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: '★ pinned' }).waitFor();
    await waitUntil('the title tells of the pinned race', async () => (await page.title()).includes('build'));
    await page.context().close();
  });

  test('shows the same in two windows', async () => {
    const pages = [await open('#/'), await open('#/')];
    const shown = (page: Page) => page.locator('[data-race-id]').evaluateAll((lines) => lines.map((line) => [line.getAttribute('data-race-id'), line.getAttribute('data-finish'), line.getAttribute('data-state')].join(' ')).sort());
    await waitUntil('both agree', async () => {
      const [a, b] = await Promise.all(pages.map(shown));
      return a!.length >= 4 && JSON.stringify(a) === JSON.stringify(b);
    });
    await Promise.all(pages.map((page) => page.context().close()));
  });

  test('keeps what it knows through a cut and goes on by itself', async () => {
    const page = await open('#/');
    await page.locator('[data-race-id="cold"]').waitFor();
    await service.kill();
    await page.locator('.connection.is-cut').waitFor({ timeout: 20_000 });
    expect(await page.locator('[data-race-id="cold"]').count()).toBe(1);
    service = await startService(env, { port });
    await page.locator('.connection.is-open').waitFor({ timeout: 30_000 });
    await post([{ ...say('after', { title: 'after the cut', state: 'running', started_at: Date.now() }), source: 'ci/new' }]);
    await page.locator('[data-race-id="after"]').waitFor();
    await page.context().close();
  });

  test('never lets a bar go back, nor fill up before the end, nor a finish move without a word', async () => {
    const startMs = Date.now();
    for (let index = 0; index < 10; index++) await post([say(`bar-${index}`, { title: 'build', state: 'running', started_at: startMs - 8_000 * index, progress: 8 * index })]);
    const page = await open('#/');
    const sampler = boardSampler(page, 'bar-');
    for (let second = 0; second < 12; second++) {
      await post(Array.from({ length: 10 }, (_, index) => say(`bar-${index}`, { progress: Math.min(99, 8 * index + second * (index % 3 === 0 ? 0.2 : 2)) })));
      await sampler.take();
      await page.waitForTimeout(1_000);
    }
    expect(sampler.seen.size).toBe(10);
    expect(sampler.faults).toEqual([]);
    await waitUntil('history holds what was published', async () => (await sampler.unpublished(service.url)).length === 0);
    await page.context().close();
  });

  test('holds bars and finishes still while a recording is replayed faster than it was', async () => {
    const at = (sec: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + 1_000 * sec).toISOString();
    const took = (index: number): number => (index % 2 === 0 ? 200 : 300) + 7 * (index % 9);
    const write = (name: string, rows: readonly string[]): string => {
      const path = `${directory.path}/${name}.csv`;
      writeFileSync(path, rows.join('\n'));
      return path;
    };
    const heading = 'id,source,title,started_at,duration_sec,state';
    const ids = Array.from({ length: 30 }, (_, index) => index);
    const past = write('past', [heading, ...ids.map((index) => `before-${index},ci/replayed@live,job ${index % 2},${at(20 * index)},${took(index) / 20},passed`)]);
    const races = write('races', [heading, ...ids.map((index) => `replayed-${index},ci/replayed,job ${index % 2},${at(10 * index)},${took(index)},${index % 7 === 0 ? 'failed' : 'passed'}`)]);
    const stages = write('stages', ['race_id,stage,seq,started_at,completed_at,state', ...ids.flatMap((index) => ['fetch', 'build', 'test'].map((stage, seq) => `replayed-${index},${stage},${seq},${at(10 * index + (seq * took(index)) / 3)},${at(10 * index + ((seq + 1) * took(index)) / 3)},passed`))]);
    expect(await start(['replay', '--races', past, '--to-server', service.url]).ended).toBe(0);
    const page = await open('#/');
    const sampler = boardSampler(page, 'replayed-');
    const replay = start(['replay', '--races', races, '--stages', stages, '--live', '--speed', '20', '--to-server', service.url]);
    while (await Promise.race([replay.ended.then(() => false), page.waitForTimeout(1_000).then(() => true)])) await sampler.take();
    expect(await replay.ended).toBe(0);
    await sampler.take();
    expect(sampler.seen.size).toBe(30);
    expect([...sampler.seen.values()].filter((finishes) => finishes.length > 0).length).toBeGreaterThan(20);
    expect(sampler.faults).toEqual([]);
    await waitUntil('history holds what was published', async () => (await sampler.unpublished(service.url)).length === 0);
    await page.context().close();
  });

  test('weighs less than 300 KB of script', () => {
    const folder = new URL('../../src/board/dist/assets/', import.meta.url);
    const bytes = readdirSync(folder).filter((name) => name.endsWith('.js')).reduce((sum, name) => sum + statSync(new URL(name, folder)).size, 0);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300_000);
  });

  /** A route, a race on it, and the positions of its vehicle until they are followed to the last. */
  async function travel(record: RouteRecord, raceId: string, at: number, points: readonly TelemetryPoint[]): Promise<void> {
    const stored = await fetch(`${service.url}/v1/routes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(record) });
    expect(stored.ok).toBe(true);
    await post([{ ...emptyUpdate(raceId, 'city', at), title: record.name, state: 'queued', route_id: record.route_id }]);
    await waitUntil('the race is known', async () => (await fetch(`${service.url}/v1/races/${raceId}`)).ok);
    await waitUntil('the vehicle is followed', async () => {
      await fetch(`${service.url}/v1/telemetry`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: points.map((point) => JSON.stringify(point)).join('\n') });
      const { at: seenAt, leg } = await (await fetch(`${service.url}/v1/journeys/${raceId}`)).json() as { at?: number; leg?: object | null };
      return seenAt === points.at(-1)!.at && leg != null;
    }, 30_000);
  }

  async function open(path: string, options: { viewport?: { width: number; height: number }; colorScheme?: 'light' | 'dark'; hasTouch?: boolean } = {}): Promise<Page> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    await page.goto(`${service.url}/${path}`);
    return page;
  }

  async function post(updates: readonly RaceUpdate[]): Promise<void> {
    const answer = await fetch(`${service.url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: updates.map(encodeLine).join('\n') });
    expect([answer.status, await answer.json()]).toMatchObject([200, { rejected_total: 0 }]);
  }
});

function say(id: string, facts: Partial<RaceUpdate>): RaceUpdate {
  return { ...emptyUpdate(id, SOURCE, Date.now()), ...facts };
}

function run(id: string, title: string, startedAt: number, sec: number): RaceUpdate[] {
  const completedAt = startedAt + 1_000 * sec;
  return [
    { ...say(id, { title, state: 'running', started_at: startedAt }), at: startedAt },
    { ...say(id, { state: 'passed', completed_at: completedAt }), at: completedAt },
  ];
}
