import { describe, expect, test } from 'vitest';
import { point } from '../../../src/forecast/distribution.ts';
import { blend, learnMixture } from '../../../src/forecast/blend.ts';
import type { Subject } from '../../../src/forecast/contexts.ts';
import { createMixture, MOST_CELLS, type Mixture } from '../../../src/forecast/mixture.ts';
import { seededRandom } from '../../support/random.ts';

const subject = (title: string, metadata: Record<string, string> = {}): Subject => ({ title, startedAtMs: 0, metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })) });
const etaOf = (mixture: Mixture, of: Subject) => point(blend(mixture, of)!.distribution).sec;
const noisy = (sec: number, random: () => number) => sec * Math.exp(0.1 * (random() - 0.5));

describe('the mixture of contexts', () => {
  test('knows nothing before the first race', () => {
    expect(blend(createMixture(), subject('build'))).toBeNull();
  });

  test('learns which metadata key tells long from short, among keys that tell nothing', () => {
    const random = seededRandom(5);
    const mixture = createMixture();
    const raceOf = (size: string, i: number) => subject('build', { commit: `c${i}`, branch: `b${Math.floor(random() * 4)}`, size });
    for (let i = 0; i < 200; i++) {
      const size = random() < 0.5 ? 'small' : 'large';
      learnMixture(mixture, raceOf(size, i), noisy(size === 'small' ? 100 : 700, random), true);
    }
    expect(Math.abs(etaOf(mixture, raceOf('small', 900)) - 100)).toBeLessThan(12);
    expect(Math.abs(etaOf(mixture, raceOf('large', 901)) - 700)).toBeLessThan(80);
  });

  test('keys that are different every time count for nothing', () => {
    const of = (i: number, unique: boolean) => subject(`t${i % 5}`, unique ? { commit: `c${i}`, run: `r${i * 7}`, trace: `x${i * 13}` } : {});
    const etas = [true, false].map((unique) => {
      const random = seededRandom(9);
      const mixture = createMixture();
      for (let i = 0; i < 400; i++) learnMixture(mixture, of(i, unique), noisy(60 * (1 + (i % 5)), random), true);
      return [0, 1, 2, 3, 4].map((i) => etaOf(mixture, of(1000 + i, unique)));
    });
    etas[0]!.forEach((eta, i) => expect(Math.abs(Math.log(eta / etas[1]![i]!))).toBeLessThan(0.05));
  });

  test('a duration that goes with a number is forecast from it, for numbers never seen', () => {
    const random = seededRandom(3);
    const mixture = createMixture();
    const of = (planned: number) => subject('trip', { planned_sec: planned.toFixed(1) });
    for (let i = 0; i < 300; i++) {
      const planned = Math.exp(5 + 3 * random());
      learnMixture(mixture, of(planned), noisy(1.5 * planned, random), true);
    }
    for (const planned of [200, 700, 1900]) expect(Math.abs(Math.log(etaOf(mixture, of(planned)) / (1.5 * planned)))).toBeLessThan(0.15);
  });

  test('where a plan says more than the title, vehicles are told apart by what they take of it', () => {
    const random = seededRandom(13);
    const mixture = createMixture();
    const of = (planned: number, vehicle: string) => subject(`trip ${Math.floor(30 * random())}`, { planned_sec: planned.toFixed(1), vehicle });
    const secOf = (planned: number, vehicle: string) => planned * (vehicle === 'slow' ? 1.4 : 1);
    for (let i = 0; i < 600; i++) {
      const planned = Math.exp(5 + 3 * random());
      const vehicle = random() < 0.2 ? 'slow' : 'fast';
      learnMixture(mixture, of(planned, vehicle), noisy(secOf(planned, vehicle), random), true);
    }
    for (const vehicle of ['slow', 'fast']) {
      for (const planned of [200, 700, 1900]) expect(Math.abs(Math.log(etaOf(mixture, of(planned, vehicle)) / secOf(planned, vehicle)))).toBeLessThan(0.1);
    }
  });

  test('races of one commit are slow together: a title that has not run on it yet is told by the others', () => {
    const random = seededRandom(21);
    const mixture = createMixture();
    let commit = '';
    for (let i = 0; i < 120; i++) {
      const slow = random() < 0.5 ? 1 : 4;
      commit = `c${i}`;
      for (const title of ['a', 'b', 'c', 'd']) learnMixture(mixture, subject(title, { commit }), noisy(slow * 100, random), true);
    }
    for (const title of ['a', 'b', 'c']) learnMixture(mixture, subject(title, { commit: 'slow' }), noisy(400, random), true);
    expect(Math.abs(etaOf(mixture, subject('d', { commit: 'slow' })) - 400)).toBeLessThan(60);
  });

  test('a level shift is followed within five runs', () => {
    const random = seededRandom(4);
    const mixture = createMixture();
    for (let i = 0; i < 20; i++) learnMixture(mixture, subject('build'), noisy(100, random), true);
    for (let i = 0; i < 5; i++) learnMixture(mixture, subject('build'), noisy(500, random), true);
    expect(Math.abs(etaOf(mixture, subject('build')) - 500)).toBeLessThan(60);
  });

  test('equal repeats make it sharper than scattered ones: the kernel follows', () => {
    const widthOf = (spread: number) => {
      const random = seededRandom(8);
      const mixture = createMixture();
      for (let i = 0; i < 300; i++) learnMixture(mixture, subject('build'), 100 * Math.exp(spread * (random() - 0.5)), true);
      return mixture.kernel;
    };
    expect(widthOf(0.01)[0]!).toBeGreaterThan(0.5);
    expect(widthOf(1)[0]!).toBeLessThan(0.2);
  });

  test('numbers that are no quantities leave it what it was', () => {
    const random = seededRandom(12);
    const mixture = createMixture();
    const odd = ['1e308', '-1e308', '1e-308', '5e-324', '-0', '99999999999999999999'];
    for (let i = 0; i < 400; i++) {
      const plan = 10 + Math.floor(990 * random());
      const isOdd = i > 200 && i % 3 === 0;
      learnMixture(mixture, subject(`title ${i % 5}`, { plan: isOdd ? odd[i % odd.length]! : String(plan), delay: odd[(i + 1) % odd.length]! }), plan, true);
    }
    expect(etaOf(mixture, subject('title 1', { plan: '300' }))).toBeCloseTo(300, -1.5);
    for (const plan of odd) expect(Math.abs(Math.log(etaOf(mixture, subject('title 1', { plan })) / 500))).toBeLessThan(2);
  });

  test('costs a bounded amount, whatever the titles, keys and values', () => {
    const mixture = createMixture();
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    for (let i = 0; i < 6_000; i++) {
      learnMixture(mixture, subject(`title ${i}x`, Object.fromEntries(keys.slice(0, i % 2 === 0 ? 100 : 3).map((key) => [key, `${key}-${i}`]))), 10 + (i % 50), true);
    }
    expect(mixture.cells.count).toBeLessThanOrEqual(MOST_CELLS);
    expect(mixture.traits.list.length).toBeLessThanOrEqual(24);
    expect(mixture.titles.size).toBeLessThanOrEqual(500);
    expect(mixture.recent.size).toBeLessThanOrEqual(1024);
    expect(Number.isFinite(etaOf(mixture, subject('title 1x')))).toBe(true);
  });
});
