import { seededRandom } from './random.ts';

export type FleetRace = {
  readonly id: string;
  readonly title: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Number of the template that the race was made from, 0 for the most used one. */
  readonly template: number;
};

export type RaceFleetOptions = {
  readonly seed: number;
  readonly races: number;
  /** `full`: seven keys as a CI service sends them; `weak`: runner and event only; `none`: no metadata at all. */
  readonly metadata?: 'full' | 'weak' | 'none';
  /** `distinct`: no two titles are the same; `repeated`: the tail is left out, as on most services. */
  readonly titles?: 'distinct' | 'repeated';
};

const REPOSITORIES = ['atlas', 'billing', 'beacon', 'compiler', 'courier', 'dispatch', 'emulator', 'forge', 'harbor', 'insights', 'keyring', 'ledger', 'mailroom', 'navigator', 'orchard', 'payments', 'quartz', 'relay', 'scheduler', 'telemetry', 'uploader', 'vault-agent', 'web-shop', 'zonefile'];
const WORKFLOWS = ['Continuous Integration', 'Nightly', 'Pull Request Checks', 'Publish', 'Smoke Tests', 'Canary Rollout', 'Static Analysis', 'Container Images', 'Database Migrations', 'Performance', 'Licence Audit', 'Docs Site'];
const JOBS = ['compile', 'unit', 'integration', 'lint', 'package', 'sign', 'upload', 'fuzz', 'profile', 'migrate', 'verify', 'notarize'];
const RUNNERS = ['ubuntu-24.04', 'ubuntu-22.04', 'macos-15', 'windows-2025', 'arm64-large', 'gpu-a10'];
const EVENTS = ['pull_request', 'push', 'schedule', 'workflow_dispatch'];
const WORDS = ['cache', 'header', 'socket', 'queue', 'token', 'layout', 'worker', 'replica', 'schema', 'cursor', 'filter', 'banner', 'session', 'digest', 'retry', 'window', 'probe', 'bucket', 'import', 'export', 'router', 'thumbnail'];
const VERBS = ['fix', 'feature', 'chore', 'dependabot/npm', 'renovate'];

/**
 * A made-up CI fleet of one source: templates (workflow, job, repository, runner) used by Zipf's law, each race with its
 * own branch, actor and title tail. The same for the same options.
 */
export function raceFleet({ seed, races, metadata = 'full', titles = 'distinct' }: RaceFleetOptions): FleetRace[] {
  const random = seededRandom(seed);
  const whole = (below: number): number => Math.floor(random() * below);
  const pick = (list: readonly string[]): string => list[whole(list.length)] ?? '';
  const templates = Array.from({ length: Math.max(1, Math.round(Math.sqrt(races))) }, () => ({
    repository: pick(REPOSITORIES), workflow: pick(WORKFLOWS), job: pick(JOBS), runner: pick(RUNNERS), tail: whole(4), events: [pick(EVENTS), pick(EVENTS)],
  }));
  const actors = Array.from({ length: Math.max(5, Math.round(Math.sqrt(races))) }, (_, index) => `dev-${(seed * 7_919 + index * 104_729).toString(36)}`);
  const drawn = zipf(templates.length);
  const used = new Set<string>();
  return Array.from({ length: races }, (_, index) => {
    const template = drawn(random());
    const { repository, workflow, job, runner, tail, events } = templates[template]!;
    const branch = random() < 0.45 ? 'main' : random() < 0.1 ? `release/${1 + whole(9)}.x` : `${pick(VERBS)}/${pick(WORDS)}-${pick(WORDS)}-${whole(400)}`;
    const stem = `${workflow} / ${job} ${repository} (${runner})`;
    const tails = (): string => [`#${whole(100_000)}`, `v${whole(9)}.${whole(30)}.${whole(900)}-rc${whole(70)}`, `@${(whole(2 ** 28) + 2 ** 28).toString(16).slice(0, 7)}`, `${pick(WORDS)} ${pick(WORDS)} #${whole(100_000)}`][tail] ?? '';
    let title = stem;
    if (titles === 'distinct') {
      while (title === stem || used.has(title)) title = `${stem} ${tails()}${title === stem ? '' : used.size % 10}`;
      used.add(title);
    }
    const event = events[whole(2)] ?? 'push';
    const all = { repo: `acme/${repository}`, workflow, job: `${job}-${repository}`, runner, event, branch, actor: actors[drawn(random()) % actors.length] ?? '' };
    return { id: `fleet-${seed}-${index}`, title, template, metadata: metadata === 'full' ? all : metadata === 'weak' ? { runner, event } : {} };
  });
}

/** As many races of a fleet as asked for, most of them met before: each is drawn from it by Zipf's law, under an id of its own. */
export function* repeatedFleet(fleet: readonly FleetRace[], races: number, seed: number): Generator<FleetRace, void, undefined> {
  const random = seededRandom(seed);
  const drawn = zipf(fleet.length);
  // Each of them once, so that the number of distinct races is known.
  for (let index = 0; index < races; index++) yield { ...fleet[index < fleet.length ? index : drawn(random())]!, id: `race-${index}` };
}

/** Draws ranks 0..count-1 with odds 1 / (rank + 1), from a number in [0, 1). */
function zipf(count: number): (draw: number) => number {
  const sums: number[] = [];
  for (let rank = 0; rank < count; rank++) sums.push((sums.at(-1) ?? 0) + 1 / (rank + 1));
  const total = sums.at(-1) ?? 1;
  return (draw) => {
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > draw * total) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** The fleet as a recording: id, source, title, started_at, duration_sec, state, metadata. */
export function* raceFleetCsv(races: Iterable<FleetRace>): Generator<string, void, undefined> {
  yield 'id,source,title,started_at,duration_sec,state,metadata\n';
  let second = 0;
  for (const { id, title, metadata } of races) {
    const startedAt = new Date(Date.UTC(2026, 0, 1) + 1_000 * second++).toISOString();
    yield `${id},fleet,"${title.replaceAll('"', '""')}",${startedAt},60,passed,"${JSON.stringify(metadata).replaceAll('"', '""')}"\n`;
  }
}
