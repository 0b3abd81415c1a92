import { describe, expect, test } from 'vitest';
import { histogramOf } from '../../../src/board/histogram.ts';
import { quantileOf, readMetrics, sumOf } from '../../../src/bridge/metrics-text.ts';
import { rowOf } from '../../../src/board/live/race-list.ts';
import { rowAtPx, topOfRow } from '../../../src/board/row-heights.ts';
import { roundDurations } from '../../../src/board/ticks.ts';
import { clockTime, countdown, delayText, distance, finishText, moved, rangeText, speed, spell } from '../../../src/board/words.ts';
import { etaView, NOW_MS, raceView } from './view.ts';

describe('words', () => {
  test.each([[0, '0 s'], [59.6, '1 min'], [61, '1 min 01 s'], [600, '10 min'], [3_660, '1 h 01 min'], [100_000, '1 d 3 h']])('spell(%d) is %s', (sec, words) => expect(spell(sec)).toBe(words));

  test('a move has its sign', () => expect([moved(40), moved(-120), moved(0.4)]).toEqual(['+40 s', '−2 min', '±0 s']));

  test.each([[0, '0 m'], [949.6, '950 m'], [1_000, '1 km'], [1_240, '1.2 km'], [12_400, '12 km'], [312_400, '312 km']])('distance(%d) is %s', (metres, words) => expect(distance(metres)).toBe(words));

  test('a delay is late or early, but for half a minute', () => expect([29, -29, 130, -3_700].map(delayText)).toEqual(['on time', 'on time', '2 min 10 s late', '1 h 02 min early']));

  test('a countdown goes on when its time has come', () => expect([countdown(NOW_MS + 90_000, NOW_MS), countdown(NOW_MS - 5_000, NOW_MS), speed(20)]).toEqual(['in 1 min 30 s', 'due since 5 s', '72 km/h']));

  test('a time of another day names the day', () => {
    const noonMs = Date.UTC(2026, 10, 25, 12);
    expect(clockTime(noonMs, noonMs, 'UTC')).toBe('12:00');
    expect(clockTime(noonMs + 86_400_000, noonMs, 'UTC')).toMatch(/^Thu.* 12:00$/);
    expect(clockTime(noonMs, noonMs, 'Asia/Tokyo')).toBe('21:00');
  });

  const said = (part: Parameters<typeof raceView>[0]) => finishText(rowOf(raceView(part), NOW_MS, 0, false), NOW_MS, 'UTC');
  test('a running race has a fixed time and a range', () => expect(said({})).toEqual({ main: clockTime(NOW_MS + 60_000, NOW_MS, 'UTC', true), detail: `likely by ${clockTime(NOW_MS + 90_000, NOW_MS, 'UTC', true)}` }));
  test('one without history has no number', () => expect(said({ eta: etaView({ basis: 'bootstrap', display: { finish_at: NOW_MS + 1, state: 'cold' } }) })).toEqual({ main: 'running 1 min', detail: 'no history to judge by' }));
  const range = (part: Parameters<typeof raceView>[0], laterMs = 0) => rangeText(rowOf(raceView(part), NOW_MS, 0, false), NOW_MS + laterMs, 'UTC');
  test('a range begins now at the earliest, and is over when it should have ended', () => {
    const [p10, p90] = [rowOf(raceView({}), NOW_MS, 0, false)].flatMap(({ p10At, p90At }) => [p10At!, p90At!]) as [number, number];
    const at = (instant: number): string => clockTime(instant, NOW_MS, 'UTC', true);
    expect(range({}, p10 - 1 - NOW_MS)).toBe(`${at(p10)} and ${at(p90)}`);
    expect(range({}, p10 - NOW_MS)).toBe(`now and ${at(p90)}`);
    expect(range({}, p90 - NOW_MS)).toBeNull();
    expect(range({ eta: etaView({ basis: 'bootstrap', display: { finish_at: NOW_MS + 1, state: 'cold' } }) })).toBeNull();
  });
  test('a silent one says since when', () => expect(said({ eta: etaView({ display: { finish_at: NOW_MS, state: 'stuck' } }) })).toEqual({ main: 'Stuck?', detail: 'nothing heard for 1 min' }));
  test('a queued one says how long it waits and will take', () => expect(said({ state: 'queued', started_at: null, queued_at: NOW_MS - 30_000 })).toEqual({ main: 'waiting 30 s', detail: 'then about 2 min' }));
  test('an ended one says how long it took', () => expect(said({ state: 'failed', completed_at: NOW_MS, duration_sec: 60 }).detail).toBe('took 1 min'));
});

describe('row heights', () => {
  const heights = { rowHeight: 60, groupHeight: 40, groupsAt: [0, 3] };
  test('headlines are lower', () => expect([0, 1, 2, 3, 4, 5].map((index) => topOfRow(heights, index))).toEqual([0, 40, 100, 160, 200, 260]));
  test('the row at a height is the one that covers it', () => expect([-5, 0, 39, 40, 159, 160, 199, 200].map((px) => rowAtPx(heights, px))).toEqual([0, 0, 0, 1, 2, 3, 3, 4]));
});

test('histogramOf() loses no value', () => {
  const values = Array.from({ length: 500 }, (_, index) => 1 + (index % 97) ** 2);
  expect(histogramOf(values).reduce((sum, { count }) => sum + count, 0)).toBe(500);
  expect(histogramOf([])).toEqual([]);
  expect(histogramOf([5]).reduce((sum, { count }) => sum + count, 0)).toBe(1);
});

test('Prometheus text is read with labels, sums and quantiles', () => {
  const samples = readMetrics('# HELP a b\na_total{x="1",y="q\\"z"} 3\na_total{x="2"} 4\nh_bucket{le="0.1"} 1\nh_bucket{le="1"} 9\nh_bucket{le="+Inf"} 10\nnot a sample');
  expect(sumOf(samples, 'a_total')).toBe(7);
  expect(sumOf(samples, 'a_total', { x: '2' })).toBe(4);
  expect([quantileOf(samples, 'h', 0.5), quantileOf(samples, 'h', 0.99), quantileOf(samples, 'none', 0.5)]).toEqual([1, 1, null]);
});

describe('roundDurations()', () => {
  test.each([[20, 900, 6, [20, 40, 90, 180, 420, 900]], [61, 89, 5, [61, 89]], [1, 4_000_000, 8, null]] as const)('from %d s to %d s at most %d', (low, high, most, marks) => {
    const found = roundDurations(low, high, most);
    expect(found.length).toBeLessThanOrEqual(most);
    expect(found.every((sec, index) => sec >= low && sec <= high && sec > (found[index - 1] ?? 0))).toBe(true);
    if (marks !== null) expect(found).toEqual(marks);
  });
});
