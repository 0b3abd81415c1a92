import { describe, expect, test } from 'vitest';
import { calibrated, createCalibration, isCalibrated, learnCalibration, phaseOf, restoreCalibration, storeCalibration, trueConfidence, type Calibration } from '../../../src/forecast/calibrate.ts';
import { distributionOf, massBelow, massWithin, quantile, type Distribution } from '../../../src/forecast/distribution.ts';
import type { Basis, Checkpoint } from '../../../src/race/state.ts';
import { seededRandom } from '../../support/random.ts';
import { finishedOf } from './race-builder.ts';

/** Durations around 100 s; the spread is a factor of exp(spread). */
const drawn = (random: () => number, spread: number) => 100 * Math.exp(spread * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
const believed = (spread: number): Distribution => distributionOf([-1.6, -1, -0.5, 0, 0.5, 1, 1.6].map((z) => 100 * Math.exp(spread * z)), [0.2, 0.6, 0.88, 1, 0.88, 0.6, 0.2]);

function checkpointOf(calibration: Calibration, raw: Distribution, elapsedSec = 0): Checkpoint {
  const phase = phaseOf(elapsedSec, 100, 'key');
  const set = calibrated(calibration, phase, raw);
  return {
    revision: 1, issued_at: 1_000_000 + 1000 * elapsedSec, elapsed_sec: elapsedSec, eta_sec: 100, p10_sec: quantile(set, 0.1), p50_sec: quantile(set, 0.5), p90_sec: quantile(set, 0.9),
    confidence: trueConfidence(calibration, phase, massWithin(raw, 100 / 1.2, 100 / 0.8)), basis: 'key', reason: 'submitted', model_version: 'v', role: 'served',
  };
}

/** Forecasts races and learns from each `delay` races later; tells what the newest half of the forecasts was worth. */
function run(raw: Distribution, spread: number, races: number, delay: number, calibration = createCalibration()) {
  const random = seededRandom(7);
  const waiting: { checkpoint: Checkpoint; sec: number }[] = [];
  const counts = { n: 0, below: 0, within: 0, hits: 0, confidence: 0 };
  for (let i = 0; i < races; i++) {
    const [checkpoint, sec] = [{ ...checkpointOf(calibration, raw), issued_at: 1_000_000 + i }, drawn(random, spread)];
    if (i >= races / 2) {
      counts.n += 1;
      counts.below += Number(sec <= checkpoint.p90_sec);
      counts.within += Number(sec <= checkpoint.p90_sec && sec >= checkpoint.p10_sec);
      counts.hits += Number(Math.abs(checkpoint.eta_sec - sec) <= 0.2 * sec);
      counts.confidence += checkpoint.confidence;
    }
    waiting.push({ checkpoint, sec });
    const ended = waiting.length > delay ? waiting.shift()! : null;
    if (ended !== null) learnCalibration(calibration, finishedOf(ended.sec, { started_at: ended.checkpoint.issued_at, completed_at: 1_000_000 + i, checkpoints: [ended.checkpoint] }));
  }
  return { p90: counts.below / counts.n, band: counts.within / counts.n, hits: counts.hits / counts.n, confidence: counts.confidence / counts.n };
}

describe('calibration', () => {
  test('knows nothing of a source at first, and changes no range', () => {
    const raw = believed(0.4);
    const set = calibrated(createCalibration(), 0, raw);
    for (const sec of [40, 70, 100, 150, 250]) expect(massBelow(set, sec)).toBeCloseTo(massBelow(raw, sec), 6);
  });

  test('at first trusts a title never seen little, and a race on its way more than it trusts itself', () => {
    const worth = (elapsedSec: number, basis: Basis) => trueConfidence(createCalibration(), phaseOf(elapsedSec, 100, basis), 0.4);
    expect(Math.abs(worth(0, 'key') - 0.4)).toBeLessThan(0.02);
    expect(worth(0, 'source')).toBeLessThan(0.15);
    expect(worth(50, 'key')).toBeGreaterThan(0.5);
    expect(worth(50, 'stage')).toBeGreaterThan(0.5);
  });

  test('what stages say is set right apart from what the history says at the same age', () => {
    const calibration = createCalibration();
    const said = checkpointOf(calibration, believed(0.1), 50);
    for (let i = 0; i < 300; i++) {
      const [basis, sec]: [Basis, number] = i % 2 === 0 ? ['key', 300] : ['stage', 100];
      learnCalibration(calibration, finishedOf(sec, { checkpoints: [{ ...said, elapsed_sec: 0 }, { ...said, basis }] }));
    }
    expect(trueConfidence(calibration, phaseOf(50, 100, 'key'), 0.9)).toBeLessThan(0.3);
    expect(trueConfidence(calibration, phaseOf(50, 100, 'stage'), 0.9)).toBeGreaterThan(0.9);
  });

  test('a confidence said at submission is worth what it is to all who read it, not to the first alone', () => {
    const calibration = createCalibration();
    const submitted = checkpointOf(calibration, believed(0.4));
    // Every other race is half as long again, and says so at 30 % of its life: three looks in ten are at what was wrong.
    const corrected: Checkpoint = { ...submitted, issued_at: submitted.issued_at + 1000 * 0.25 * 150, elapsed_sec: 0.25 * 150, eta_sec: 150 };
    for (let i = 0; i < 2_000; i++) {
      const at = { ...submitted, confidence: trueConfidence(calibration, 0, 0.4) };
      learnCalibration(calibration, finishedOf(i % 2 === 0 ? 100 : 150, { started_at: at.issued_at, checkpoints: i % 2 === 0 ? [at] : [at, corrected] }));
    }
    expect(Math.abs(trueConfidence(calibration, 0, 0.4) - 10 / 13)).toBeLessThan(0.03);
  });

  test.each([['far too narrow', 0.1], ['too wide', 0.8]])('sets a forecast right that is %s, with its confidence', (_, spread) => {
    const result = run(believed(spread), 0.4, 4_000, 0);
    expect(Math.abs(result.p90 - 0.9)).toBeLessThan(0.03);
    expect(Math.abs(result.band - 0.8)).toBeLessThan(0.04);
    expect(Math.abs(result.confidence - result.hits)).toBeLessThan(0.04);
  });

  test('does not overshoot when a thousand races are under way before the first ends', () => {
    const result = run(believed(0.8), 0.4, 6_000, 1_000);
    expect(Math.abs(result.p90 - 0.9)).toBeLessThan(0.03);
    expect(Math.abs(result.band - 0.8)).toBeLessThan(0.05);
    expect(Math.abs(result.confidence - result.hits)).toBeLessThan(0.04);
  });

  test('each phase of a life has its own levels', () => {
    const calibration = createCalibration();
    const raw = believed(0.4);
    for (let i = 0; i < 500; i++) learnCalibration(calibration, finishedOf(100, { checkpoints: [checkpointOf(calibration, raw), { ...checkpointOf(calibration, raw, 45), p50_sec: 60, p90_sec: 70 }] }));
    expect(quantile(calibrated(calibration, phaseOf(45, 100, 'key'), raw), 0.9)).toBeGreaterThan(1.2 * quantile(raw, 0.9));
    expect(quantile(calibrated(calibration, 0, raw), 0.9)).toBeLessThan(quantile(raw, 0.9));
    expect(massBelow(calibrated(calibration, phaseOf(90, 100, 'key'), raw), 150)).toBeCloseTo(massBelow(raw, 150), 6);
  });

  test('whatever it learns, levels stay in order and confidence rises with the raw one within 0..1', () => {
    const random = seededRandom(3);
    const calibration = createCalibration();
    for (let i = 0; i < 3_000; i++) {
      const raw = believed(0.05 + random());
      const elapsedSec = random() < 0.5 ? 0 : 200 * random();
      learnCalibration(calibration, finishedOf(1000 * random() ** 4 + elapsedSec, { checkpoints: [checkpointOf(calibration, raw, elapsedSec)] }));
    }
    for (let phase = 0; phase < 10; phase++) {
      const set = calibrated(calibration, phase, believed(0.4));
      for (let i = 1; i < set.cumulative.length; i++) expect(set.cumulative[i]!).toBeGreaterThanOrEqual(set.cumulative[i - 1]!);
      const mapped = Array.from({ length: 101 }, (_, i) => trueConfidence(calibration, phase, i / 100));
      for (let i = 1; i <= 100; i++) expect(mapped[i]!).toBeGreaterThanOrEqual(mapped[i - 1]!);
      expect(Math.min(...mapped)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...mapped)).toBeLessThanOrEqual(1);
    }
  });

  test('goes on as if it had never been stored, within a few kilobytes', () => {
    const straight = createCalibration();
    const stored = createCalibration();
    run(believed(0.8), 0.4, 2_000, 10, straight);
    run(believed(0.8), 0.4, 2_000, 10, stored);
    const { since, columns } = storeCalibration(stored);
    expect(columns.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(15_000);
    const bytes = columns.map((column) => column.slice().buffer as ArrayBuffer);
    const restored = restoreCalibration(since, () => bytes.shift()!);
    run(believed(0.2), 0.4, 500, 10, straight);
    run(believed(0.2), 0.4, 500, 10, restored);
    expect(storeCalibration(restored)).toEqual(storeCalibration(straight));
  });

  test('what rests on no history of the source teaches nothing', () => {
    const calibration = createCalibration();
    learnCalibration(calibration, finishedOf(50, { checkpoints: [{ ...checkpointOf(calibration, believed(0.4)), basis: 'bootstrap' }, { ...checkpointOf(calibration, believed(0.4)), role: 'shadow' }] }));
    expect(calibration.numbers).toEqual(createCalibration().numbers);
    expect(isCalibrated('stage')).toBe(true);
    expect(isCalibrated('exact')).toBe(false);
  });
});
