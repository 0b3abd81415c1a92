import { describe, expect, test } from 'vitest';
import type { PublishedModel } from '../../../src/cluster/published-model.ts';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { ModelSwap } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, decodeModel, encodeModel, type SourceModel } from '../../../src/forecast/model.ts';
import { revise } from '../../../src/forecast/revise.ts';
import { attachClusterings } from '../../../src/forecast/swap.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const SOURCE = 'ci/acme';

/** Two kinds of titles, each a cluster of its own. */
function published(version: string, samples: Record<string, number[]> = { build: [100, 101, 99, 100], test: [900, 905, 895, 900] }): PublishedModel {
  return {
    source: SOURCE, version, built_at: 0, eps: 0.3, eps_rule: 'given', min_pts: 3, mask: true, dropped_keys: ['commit'], exact: true, distance_calls: 0, races: 8, noise_ratio: 0, agreement: null, verdict: null, report: null,
    clusters: Object.entries(samples).map(([name, first_samples_sec]) => ({ cluster_id: name, size: 4, medoid_title: `${name} the whole project`, first_samples_sec })),
    exemplars: Object.keys(samples).map((name) => ({ cluster_id: name, title: `${name} the whole project`, metadata: { os: 'linux' }, weight: 4 })),
  };
}

const find = (...models: PublishedModel[]) => (_source: string, version: string) => models.find((one) => one.version === version);

function swap(model: SourceModel, models: PublishedModel[], changes: Partial<ModelSwap>): void {
  learn(model, { kind: 'ModelSwap', value: { source: SOURCE, version: 'v1', stage: 'active', share: 1, previous: null, at: 0, ...changes } }, find(...models));
}

/** Some titles that are in neither cluster, and their durations. */
function taught(): SourceModel {
  const model = createSourceModel(SOURCE);
  for (let i = 0; i < 30; i++) learn(model, { kind: 'FinishedRace', value: finishedOf(20 * 1.2 ** i, { title: 'q'.repeat(40) + String.fromCharCode(97 + (i % 26)).repeat(5), metadata: {} }) });
  return model;
}

const unseen = (title: string, raceId = 'x') => raceOf({ race_id: raceId, source: SOURCE, title, metadata: [{ key: 'commit', value: 'f00', at: 0 }, { key: 'os', value: 'linux', at: 0 }] });

/** Another for each number below 676, and none that masking takes out. */
const letters = (n: number): string => String.fromCharCode(97 + (n % 26), 97 + (Math.floor(n / 26) % 26));

describe('an active version', () => {
  test('carries an unseen title, with metadata and a key that is left out; the other cluster is not mixed in', () => {
    const model = taught();
    swap(model, [published('v1')], {});
    const forecast = forecastRace(model, unseen('build the whole projects'), 0);
    expect(forecast).toMatchObject({ clusterId: 'build', clusterVersion: 'v1' });
    expect(forecast.etaSec).toBeGreaterThan(80);
    expect(forecast.etaSec).toBeLessThan(125);
    expect(forecastRace(model, unseen('test the whole projects'), 0)).toMatchObject({ clusterId: 'test', basis: 'cluster' });
  });

  test('does nothing for a race that is near to no exemplar', () => {
    const model = taught();
    const before = forecastRace(model, unseen('z'.repeat(30)), 0);
    swap(model, [published('v1')], {});
    const { clusterId, etaSec, p90Sec } = forecastRace(model, unseen('z'.repeat(30)), 0);
    expect({ clusterId, etaSec, p90Sec }).toEqual({ clusterId: null, etaSec: before.etaSec, p90Sec: before.p90Sec });
  });

  test('changes nothing for races under titles that are known, whatever it said of others', () => {
    const [without, beside] = [taught(), taught()];
    swap(beside, [published('v1')], {});
    for (let i = 0; i < 60; i++) {
      const record = i % 3 === 0
        ? { kind: 'FinishedRace' as const, value: finishedOf(700 + 9 * i, { title: `build the whole project ${letters(i)}`, metadata: { os: 'linux' } }) }
        : { kind: 'FinishedRace' as const, value: finishedOf(40 + i, { title: `known ${i % 2}`, metadata: { os: i % 4 < 2 ? 'linux' : 'mac' } }) };
      for (const model of [without, beside]) learn(model, record, find(published('v1')));
    }
    const said = (model: SourceModel, title: string) => {
      const { etaSec, p10Sec, p50Sec, p90Sec, basis } = forecastRace(model, unseen(title), 0);
      return { etaSec, p10Sec, p50Sec, p90Sec, basis };
    };
    expect(said(beside, 'known 1')).toEqual(said(without, 'known 1'));
    expect(said(beside, 'build the whole projects').etaSec).not.toEqual(said(without, 'build the whole projects').etaSec);
  });

  test('is not heard while races go by something else than its clusters, and heard again when they do not', () => {
    const model = taught();
    const models = [published('v1')];
    swap(model, models, {});
    let n = 0;
    const race = (title: string, sec: number) => learn(model, { kind: 'FinishedRace', value: finishedOf(sec, { title: `${title} ${letters(n++)}`, metadata: { os: 'linux' } }) }, find(...models));
    const like = (title: string) => forecastRace(model, unseen(`${title} zz`), 0);
    expect(like('build the whole project').basis).toBe('cluster');
    // All take equally long for a while: what a cluster has seen last is older than that.
    for (let spell = 0; spell < 12; spell++) {
      const sec = 20 * 3 ** (spell % 4);
      for (let i = 0; i < 8; i++) race('q'.repeat(40), sec + i / 8);
      race('build the whole project', sec);
    }
    expect(like('build the whole project').basis).toBe('source');
    for (let i = 0; i < 40; i++) race(i % 2 === 0 ? 'build the whole project' : 'test the whole project', i % 2 === 0 ? 100 : 900);
    expect(like('build the whole project')).toMatchObject({ basis: 'cluster', clusterId: 'build' });
  });

  test('follows a new level: nothing is dropped as an anomaly', () => {
    const model = taught();
    swap(model, [published('v1')], {});
    const race = (sec: number, i: number) => finishedOf(sec, { title: `build the whole project${'abcdefghijklmnop'[i % 16]!.repeat(2)}`, metadata: { os: 'linux' } });
    for (let i = 0; i < 20; i++) learn(model, { kind: 'FinishedRace', value: race(11, i) }, find(published('v1')));
    for (let i = 0; i < 20; i++) learn(model, { kind: 'FinishedRace', value: race(60, i) }, find(published('v1')));
    expect(forecastRace(model, unseen('build the whole projectzz'), 0).etaSec).toBeCloseTo(60, -1);
  });

  test('gives way to another between races: each forecast is of one version, and its cluster\'s samples are its own', () => {
    const model = taught();
    const models = [published('v1'), published('v2', { build: [300, 301, 299, 300] })];
    swap(model, models, {});
    swap(model, models, { version: 'v2', previous: 'v1' });
    expect(forecastRace(model, unseen('build the whole projects', 'y'), 0).etaSec).toBeCloseTo(300, -2);
    swap(model, models, { version: 'v1' });
    expect(forecastRace(model, unseen('build the whole projects', 'z'), 0)).toMatchObject({ clusterVersion: 'v1' });
    expect(forecastRace(model, unseen('build the whole projects', 'z'), 0).etaSec).toBeLessThan(125);
  });
});

describe('a version on trial', () => {
  test('as a shadow serves none, and is held beside the first forecast', () => {
    const model = taught();
    const race = unseen('build the whole projects');
    const before = forecastRace(model, race, 0);
    swap(model, [published('v1')], { stage: 'shadow' });
    const forecast = forecastRace(model, race, 0);
    expect(forecast).toMatchObject({ clusterVersion: null, etaSec: before.etaSec });
    const revision = revise(race, forecast, { reason: 'submitted', significant: true, eventAtMs: 0 }, { nowMs: 0, modelVersion: '0@7' })!;
    expect(revision.race.checkpoints.map(({ role, model_version }) => [role, model_version])).toEqual([['served', '0@7'], ['shadow', '0@7/v1']]);
    const [served, shadow] = revision.race.checkpoints;
    expect(shadow!.issued_at).toBe(served!.issued_at);
    expect(shadow!.eta_sec).not.toBe(served!.eta_sec);
    const again = revise(revision.race, forecast, { reason: 'started', significant: true, eventAtMs: 1_000 }, { nowMs: 1_000, modelVersion: '0@7' })!;
    expect(again.race.checkpoints.map(({ role }) => role)).toEqual(['served', 'shadow', 'served']);
  });

  test('as a canary serves its share of races, the same ones whoever asks, and the others stand beside it', () => {
    const model = taught();
    swap(model, [published('v1')], { stage: 'canary', share: 0.25 });
    const ids = Array.from({ length: 400 }, (_, i) => `race-${i}`);
    const served = ids.filter((id) => forecastRace(model, unseen('build the whole projects', id), 0).clusterVersion === 'v1');
    expect(served.length).toBeGreaterThan(70);
    expect(served.length).toBeLessThan(130);
    const restored = decodeModel(encodeModel(model));
    attachClusterings(restored, find(published('v1')));
    expect(ids.filter((id) => forecastRace(restored, unseen('build the whole projects', id), 0).clusterVersion === 'v1')).toEqual(served);
    const beside = (id: string) => forecastRace(model, unseen('build the whole projects', id), 0).beside().map(({ role, forecast }) => [role, forecast.clusterVersion]);
    expect(beside(served[0]!)).toEqual([['canary', null]]);
    expect(beside(ids.find((id) => !served.includes(id))!)).toEqual([['canary', 'v1']]);
  });

  test('taken away, leaves forecasts as they were', () => {
    const model = taught();
    swap(model, [published('v1')], { stage: 'canary', share: 1 });
    swap(model, [published('v1')], { stage: 'canary', version: '', share: 0 });
    expect(model.versions).toEqual({ active: null, canary: null, shadow: null, previous: null, canaryShare: 0 });
    expect(forecastRace(model, unseen('build the whole projects'), 0)).toMatchObject({ clusterId: null, clusterVersion: null });
  });
});

test('a model that was stored and restored goes on as if it never had been', () => {
  const models = [published('v1'), published('v2', { build: [300, 301, 299, 300] })];
  const straight = taught();
  swap(straight, models, {});
  swap(straight, models, { version: 'v2', stage: 'shadow' });
  const restored = decodeModel(encodeModel(straight));
  attachClusterings(restored, find(...models));
  for (const model of [straight, restored]) {
    learn(model, { kind: 'FinishedRace', value: finishedOf(120, { title: 'build the whole projects', metadata: { os: 'linux' } }) }, find(...models));
    swap(model, models, { version: 'v2', previous: 'v1' });
    learn(model, { kind: 'FinishedRace', value: finishedOf(125, { title: 'build the whole projectz', metadata: { os: 'linux' } }) }, find(...models));
  }
  expect(Buffer.from(encodeModel(restored)).equals(Buffer.from(encodeModel(straight)))).toBe(true);
});
