import { emptyUpdate, type RaceUpdate } from '../../src/race/update.ts';
import { seededRandom } from './random.ts';

export type FleetOptions = {
  readonly seed: number;
  readonly races: number;
  /** Start of the first race, epoch ms. */
  readonly startMs: number;
  /** Between two starts on average, ms. */
  readonly spacingMs: number;
  /** Time from start to end of a usual race, ms. */
  readonly durationMs: number;
  readonly idPrefix?: string;
};

const TITLES = ['build / linux', 'build / macos', 'test / unit', 'test / integration', 'lint', 'deploy / staging'];
const STAGES = ['checkout', 'restore cache', 'compile', 'test', 'upload'];

/**
 * A made-up CI fleet with the standard mix: per race one submission, five stage changes, thirteen progress reports and a
 * finish, six metadata keys. In the order of `at`; the same for the same options.
 */
export function fleetUpdates({ seed, races, startMs, spacingMs, durationMs, idPrefix = 'race' }: FleetOptions): RaceUpdate[] {
  const random = seededRandom(seed);
  const updates: RaceUpdate[] = [];
  for (let index = 0; index < races; index++) {
    const title = TITLES[Math.floor(random() * TITLES.length)] ?? 'lint';
    const startedAt = Math.round(startMs + index * spacingMs);
    const lengthMs = Math.max(20, Math.round(durationMs * (0.7 + 0.15 * TITLES.indexOf(title)) * (0.9 + 0.2 * random())));
    const id = `${idPrefix}-${seed}-${index}`;
    const source = `fleet/repo-${index % 3}`;
    const say = (fraction: number, facts: Partial<RaceUpdate>): void => {
      updates.push({ ...emptyUpdate(id, source, Math.round(startedAt + fraction * lengthMs)), ...facts });
    };
    say(0, {
      title, state: 'running', started_at: startedAt,
      metadata: { branch: index % 4 === 0 ? 'main' : `topic/${index % 7}`, os: title.includes('macos') ? 'macos' : 'linux', runner: `r${index % 5}`, commit: `c${index}`, event: 'push', attempt: '1' },
    });
    for (const [seq, name] of STAGES.entries()) {
      const from = Math.round(startedAt + (seq / STAGES.length) * lengthMs);
      say(seq / STAGES.length + 0.001, { stage: { name, state: 'running', seq, started_at: from, completed_at: null, planned_sec: null } });
    }
    for (let report = 1; report <= 13; report++) say(report / 14, { progress: Math.round((report / 14) * 100) });
    say(1, { state: random() < 0.1 ? 'failed' : 'passed', completed_at: startedAt + lengthMs });
  }
  return updates.sort((a, b) => a.at - b.at);
}
