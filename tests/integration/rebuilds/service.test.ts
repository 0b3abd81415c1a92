import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import type { Output } from '../../../src/cli/context.ts';
import { raceFleet } from '../../support/race-fleet.ts';
import { seededRandom } from '../../support/random.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SOURCE = 'ci/fleet';
const dir = temporaryDirectory();
let service: RunningService;
let raced: ReturnType<typeof fleet>;

beforeAll(async () => {
  service = await startService({ RACELINE_DATA_DIR: dir.path });
  raced = fleet();
  for (let at = 0; at < raced.length; at += 200) {
    const lines = raced.slice(at, at + 200).flatMap(({ opened, closed }) => [JSON.stringify(opened), JSON.stringify(closed)]).join('\n');
    const answer = await fetch(`${service.url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines });
    expect(answer.status, await answer.text()).toBeLessThan(300);
  }
  await waitUntil('all races are in ClickHouse', async () => {
    const rows = await (await fetch(`${service.url}/historic/races?source=${encodeURIComponent(SOURCE)}&limit=10000`)).json() as { total: number };
    return rows.total === raced.length;
  }, 60_000);
}, 120_000);

afterAll(async () => {
  await service.stop();
  dir.remove();
});

describe('a service that is asked for clusters', () => {
  it('answers the origin\'s clients, then rebuilds; the command waits for the verdict and shows every reason', async () => {
    expect(await json('/clusters')).toEqual([]);
    expect(await json('/metrics/rebuild')).toMatchObject({ cluster_stats: { total_clusters: 0 }, rollout_metrics: { current_phase: 'SingleSource', total_rebuilds: 0 } });
    const { outcome, out } = await cli(['rebuild', SOURCE, '--server', service.url]);
    expect(out).toContain('accepted, version');
    expect(outcome).toBe(0);
    expect(out.match(/✓/g)).toHaveLength(6);
    const all = await waitUntil('the clusters are known to the gateway', async () => {
      const list = await json('/clusters') as { cluster_id: string }[];
      return list.length > 0 ? list : null;
    });
    expect(all[0]).toMatchObject({ source: SOURCE, member_count: expect.any(Number), representative_title: expect.any(String), stats: { sample_size: expect.any(Number) } });
    const id = encodeURIComponent(all[0]!.cluster_id);
    expect(await json(`/cluster/${id}`)).toMatchObject({ cluster_id: all[0]!.cluster_id, representative_metadata: expect.any(Object), recent_times: expect.any(Array) });
    expect(await json(`/debug/cluster/${id}`)).toMatchObject({ cluster_id: all[0]!.cluster_id });
    const missing = await fetch(`${service.url}/cluster/none`);
    expect([missing.status, await missing.json()]).toMatchObject([404, { cluster_id: 'none', error: 'Cluster not found' }]);
    const listed = await cli(['clusters', SOURCE, '--server', service.url]);
    expect(listed.out).toMatch(/^ci\/fleet: \d+ clusters of version /);
    expect(await json('/metrics/rollout')).toMatchObject({ current_phase: 'SingleSource', config: { auto_rollback: true, canary_percentage: 10 }, sources: [{ source: SOURCE, active: null, candidate: { stage: 'shadow' } }] });
    expect(await json('/metrics/rebuild')).toMatchObject({ rollout_metrics: { total_rebuilds: 1, successful_rebuilds: 1, success_rate: 1 } });
    const text = await (await fetch(`${service.url}/metrics`)).text();
    expect(text).toMatch(/raceline_rebuild_stage_duration_seconds_count\{stage="cores"\} 1/);
    expect(text).toMatch(/raceline_rebuilds_total\{status="accepted",trigger="manual"\} 1/);
  }, 120_000);

  it('a race with an unseen title is forecast by its cluster once the version is active', async () => {
    for (const stage of ['canary', 'active']) {
      expect((await post('/v1/rollout/promote', { source: SOURCE })).status).toBe(202);
      await waitUntil(`the version is ${stage}`, async () => {
        const [state] = (await json('/metrics/rollout') as { sources: { active: string | null; candidate: { stage: string } | null }[] }).sources;
        return stage === 'active' ? state?.active : state?.candidate?.stage === stage;
      });
    }
    const like = raced.find(({ opened }) => /#\d+$/.test(opened.title))!;
    const race = { ...like.opened, race_id: 'cold', title: like.opened.title.replace(/#\d+$/, '(again)'), at: Date.now(), started_at: Date.now() };
    const eta = await waitUntil('it is forecast by its cluster', async () => {
      expect((await post('/v1/updates', { ...race, race_id: `cold-${Math.random()}`, at: Date.now(), started_at: Date.now() })).status).toBeLessThan(300);
      const rows = await (await fetch(`${service.url}/v1/races?source=${encodeURIComponent(SOURCE)}&state=running`)).json() as { races?: RaceView[] } & RaceView[];
      return (rows.races ?? rows).find(({ eta: one }) => one?.basis === 'cluster')?.eta;
    });
    expect(eta.cluster_id).toEqual(expect.any(String));
  });

  it('keeps the origin\'s answers, and says conflict under /v1 where a rebuild runs', async () => {
    const triggered = await post('/rebuild/trigger', { source: SOURCE });
    const { id, ...rest } = await triggered.json() as { id: string };
    expect([triggered.status, rest]).toEqual([200, { message: 'Rebuild triggered successfully', status: 'accepted' }]);
    await waitUntil('it is done', async () => (await json(`/v1/rebuilds/${id}`) as { status: string }).status !== 'running');
    expect(await (await post('/rollout/enable_all', { mode: 'canary', percentage: 20 })).json()).toEqual({ mode: 'canary', status: 'ok' });
    await waitUntil('the phase is on', async () => (await json('/metrics/rollout') as { current_phase: string }).current_phase === 'AllSourcesConservative');
    expect(await (await post('/rollout/reset', undefined)).json()).toMatchObject({ message: 'Rollout reset to Phase 1 (single source)', phase: 'SingleSource', status: 'success' });
    expect((await post('/v1/rebuilds', { source: '' })).status).toBe(400);
    const { outcome, out } = await cli(['rebuild', 'nobody', '--server', service.url]);
    expect(outcome).toBe(1);
    expect(out).toContain('nobody has 0 finished races, 100 are needed');
  });
});

type RaceView = { eta: { basis: string; cluster_id: string | null } | null };

function fleet() {
  const random = seededRandom(1);
  const startMs = Date.now() - 20 * 86_400_000;
  return raceFleet({ seed: 1, races: 700, metadata: 'weak' }).map(({ id, title, metadata, template }, n) => {
    const startedAt = startMs + n * 60_000;
    const completedAt = Math.round(startedAt + 1_000 * 20 * 1.7 ** (template % 9) * Math.exp(0.1 * (random() - 0.5)));
    const opened = { race_id: id, source: SOURCE, title, metadata, at: startedAt, started_at: startedAt, state: 'running' };
    return { opened, closed: { race_id: id, source: SOURCE, at: completedAt, state: 'passed', completed_at: completedAt } };
  });
}

async function json(path: string): Promise<unknown> {
  const answer = await fetch(`${service.url}${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}

async function post(path: string, body: unknown): Promise<Response> {
  return await fetch(`${service.url}${path}`, { method: 'POST', ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
}

async function cli(args: readonly string[]): Promise<{ outcome: unknown; out: string }> {
  let out = '';
  const sink: Output = { write(text) { out += String(text); return true; } };
  const outcome = await run(args, {}, { out: sink, err: { write: () => true } });
  return { outcome, out };
}
