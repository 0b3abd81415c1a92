import type { Codec } from '../../src/ports/codec.ts';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import { etaUpdate, raceState } from '../integration/gateway/harness.ts';
import type { GatewayOrder } from './processes/gateway.ts';

const FEED_MS = 25;
const STAGES = ['checkout', 'compile', 'test'];
const metadata = { branch: 'main', commit: '0f3a9c2d7b1e', runner: 'ubuntu-24.04', actor: 'somebody', event: 'push', attempt: '1' };

export type RevisionFeed = { start(): void; stop(): void };

export type RevisionFeedOptions = {
  readonly codec: Codec;
  readonly order: (message: GatewayOrder) => void;
  /** Revised in this order, over and over. */
  readonly raceIds: readonly string[];
  /** Each race again after so long. */
  readonly revisedEveryMs: number;
  /** Of the race at an index: its source, how long ago it began, and how long it takes in all, ms. */
  readonly raceAt?: (index: number) => { readonly source: string; readonly agoMs: number; readonly totalMs: number };
};

/** Running races of a gateway process and revisions of them as the pipeline would publish them, spread evenly over time. */
export function revisionFeed({ codec, order, raceIds, revisedEveryMs, raceAt = () => ({ source: 'github-actions/acme/api', agoMs: 60_000, totalMs: 300_000 }) }: RevisionFeedOptions): RevisionFeed {
  const nowMs = Date.now();
  const races = raceIds.map((raceId, index) => {
    const { source, agoMs, totalMs } = raceAt(index);
    return { race_id: raceId, source, title: `build (ubuntu-24.04, ${index % 40})`, started_at: nowMs - agoMs, totalMs };
  });
  order({
    topic: 'race-states',
    records: races.map(({ totalMs: _, ...race }) => [race.race_id, codec.encode('race-states', raceState({
      ...race, first_at: race.started_at, last_at: race.started_at, appended_at: race.started_at, metadata: Object.entries(metadata).map(([key, value]) => ({ key, value, at: race.started_at })),
    }), 'RaceState').toString('base64')]),
  });
  const revision = ({ totalMs, ...race }: (typeof races)[number], number: number): EtaUpdate => {
    const atMs = Date.now();
    const one = { revision: number, eta_sec: totalMs / 1_000 + (number % 7), issued_at: atMs, confidence: 0.71, basis: 'stage', reason: 'progress' } as const;
    const finishAt = race.started_at + totalMs;
    const elapsed = Math.min(99, (100 * (atMs - race.started_at)) / totalMs);
    return etaUpdate({
      ...race, ...one, event_at: atMs, metadata, finish_at: finishAt, p10_sec: 0.9 * one.eta_sec, p50_sec: one.eta_sec, p90_sec: 1.2 * one.eta_sec,
      display: { finish_at: finishAt, state: 'stable' }, model_version: '3@184467',
      progress: { current: elapsed, confidence: 0.7, predicted_next: elapsed, next_update_at: atMs + 10_000, source: 'interpolated' },
      milestones: STAGES.map((name) => ({ name, kind: 'stage', state: 'pending', eta_at: finishAt - 100_000, p10_at: finishAt - 120_000, p90_at: finishAt - 60_000, passed_at: null, distance_m: null, eta_type: 'estimated' })),
      eta_revisions: [1, 2, 3, 4, 5].map((back) => ({ ...one, revision: Math.max(1, number - back), issued_at: atMs - 500 * back })),
    });
  };
  let timer: NodeJS.Timeout | undefined;
  let sent = 0;
  return {
    start() {
      const startMs = performance.now();
      const sentBefore = sent;
      timer = setInterval(() => {
        const due = sentBefore + Math.floor(((performance.now() - startMs) / revisedEveryMs) * races.length);
        const records: [string, string][] = [];
        for (; sent < due; sent++) {
          const race = races[sent % races.length]!;
          records.push([race.race_id, codec.encode('eta-updates', revision(race, 1 + Math.floor(sent / races.length))).toString('base64')]);
        }
        order({ topic: 'eta-updates', records });
      }, FEED_MS);
    },
    stop: () => clearInterval(timer),
  };
}
