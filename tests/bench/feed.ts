import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import type { Codec } from '../../src/ports/codec.ts';
import { etaUpdate, raceState } from '../integration/gateway/harness.ts';
import type { GatewayOrder } from './processes/gateway.ts';

const FEED_MS = 25;
/** In one append; some 2 KB each. */
const MOST_AT_ONCE = 250;
const metadata = { branch: 'main', commit: '0f3a9c2d7b1e', runner: 'ubuntu-24.04', actor: 'somebody', event: 'push', attempt: '1' };

export type FeedOptions = { readonly codec: Codec; readonly order: (message: GatewayOrder) => void; readonly races: readonly string[] };

/** Races and their revisions as the pipeline would publish them, one race after the other, spread evenly over time. */
export function startFeed({ codec, order, races }: FeedOptions): { start(revisionsPerSec: number): void; stop(): void } {
  const startedAt = Date.now() - 60_000;
  order({
    topic: 'race-states',
    records: races.map((raceId) => [raceId, codec.encode('race-states', raceState({
      race_id: raceId, source: 'github-actions/acme/api', title: 'build (ubuntu-24.04)', started_at: startedAt, first_at: startedAt, last_at: startedAt, appended_at: startedAt,
      metadata: Object.entries(metadata).map(([key, value]) => ({ key, value, at: startedAt })),
    }), 'RaceState').toString('base64')]),
  });
  const revision = (raceId: string, number: number): EtaUpdate => {
    const nowMs = Date.now();
    const one = { revision: number, eta_sec: 300 + (number % 7), issued_at: nowMs, confidence: 0.71, basis: 'stage', reason: 'progress' } as const;
    return etaUpdate({
      race_id: raceId, source: 'github-actions/acme/api', title: 'build (ubuntu-24.04)', started_at: startedAt, revision: number, issued_at: nowMs, event_at: nowMs, metadata,
      eta_sec: one.eta_sec, finish_at: startedAt + 300_000, basis: one.basis, reason: one.reason, model_version: '3@184467',
      progress: { current: 41.5, confidence: 0.7, predicted_next: 44.2, next_update_at: nowMs + 10_000, source: 'interpolated' },
      milestones: ['checkout', 'compile', 'test'].map((name) => ({ name, kind: 'stage', state: 'pending', eta_at: startedAt + 200_000, p10_at: startedAt + 180_000, p90_at: startedAt + 240_000, passed_at: null, distance_m: null, eta_type: 'estimated' })),
      eta_revisions: [1, 2, 3, 4, 5].map((back) => ({ ...one, revision: Math.max(1, number - back), issued_at: nowMs - 500 * back })),
    });
  };
  let timer: NodeJS.Timeout | undefined;
  let sent = 0;
  return {
    start(revisionsPerSec) {
      const startMs = performance.now();
      const sentBefore = sent;
      timer = setInterval(() => {
        const due = sentBefore + Math.floor(((performance.now() - startMs) / 1_000) * revisionsPerSec);
        while (sent < due) {
          const records: [string, string][] = [];
          for (; sent < due && records.length < MOST_AT_ONCE; sent++) {
            const raceId = races[sent % races.length]!;
            records.push([raceId, codec.encode('eta-updates', revision(raceId, 1 + Math.floor(sent / races.length))).toString('base64')]);
          }
          order({ topic: 'eta-updates', records });
        }
      }, FEED_MS);
    },
    stop: () => clearInterval(timer),
  };
}
