import TinyQueue from 'tinyqueue';
import { emptyUpdate, type RaceUpdate, type StageUpdate } from '../race/update.ts';
import { seededRandom } from './seeded-random.ts';

export type DemoFleetOptions = {
  /** The same seed gives the same fleet. */
  readonly seed: number;
  /** Put in front of each race id, so that two fleets do not share races. */
  readonly idPrefix: string;
  /** Epoch ms of the first race. */
  readonly startMs: number;
  /** Epoch ms from which `shifting` workflows take longer. */
  readonly shiftMs: number;
};

type Workflow = {
  readonly source: string;
  readonly title: string;
  /** Name and median seconds of each stage. */
  readonly stages: readonly (readonly [name: string, medianSec: number])[];
  /** Between two submissions on average. */
  readonly everySec: number;
  /** Share of runs whose cache is warm: its stage takes a tenth. */
  readonly warmRatio: number;
  readonly failRatio: number;
  readonly cancelRatio: number;
  /** Reports progress in percent each so many seconds; 0 = stages only. */
  readonly progressEverySec: number;
  readonly isShifting?: true;
};

const CACHED_STAGE = 'restore cache';
const workflows: readonly Workflow[] = [
  { source: 'demo/shop/web', title: 'build / web', stages: [['checkout', 4], [CACHED_STAGE, 30], ['compile', 45], ['bundle', 20], ['upload', 6]], everySec: 70, warmRatio: 0.7, failRatio: 0.05, cancelRatio: 0.05, progressEverySec: 0 },
  { source: 'demo/shop/web', title: 'test / browser', stages: [['checkout', 4], [CACHED_STAGE, 25], ['smoke', 20], ['full', 110]], everySec: 110, warmRatio: 0.6, failRatio: 0.15, cancelRatio: 0.05, progressEverySec: 5 },
  { source: 'demo/shop/api', title: 'build / api', stages: [['checkout', 3], [CACHED_STAGE, 40], ['compile', 70], ['image', 35]], everySec: 130, warmRatio: 0.8, failRatio: 0.04, cancelRatio: 0.03, progressEverySec: 0 },
  { source: 'demo/shop/api', title: 'test / integration', stages: [['checkout', 3], ['services', 15], ['migrate', 12], ['test', 90]], everySec: 150, warmRatio: 0, failRatio: 0.12, cancelRatio: 0.08, progressEverySec: 0, isShifting: true },
  { source: 'demo/shop/api', title: 'deploy / staging', stages: [['plan', 8], ['apply', 40], ['verify', 25]], everySec: 240, warmRatio: 0, failRatio: 0.05, cancelRatio: 0, progressEverySec: 0 },
  { source: 'demo/data/etl', title: 'nightly load', stages: [['extract', 60], ['transform', 120], ['load', 45]], everySec: 300, warmRatio: 0, failRatio: 0.03, cancelRatio: 0, progressEverySec: 5 },
  { source: 'demo/data/train', title: 'train ranking model', stages: [['prepare', 30], ['train', 240], ['evaluate', 30]], everySec: 360, warmRatio: 0, failRatio: 0.08, cancelRatio: 0.1, progressEverySec: 4 },
];

/** Runners of a source: what comes while all are busy waits. */
const RUNNERS = 4;
/** Of log duration: stages of CI vary by about a fifth from run to run. */
const SPREAD = 0.18;
const BRANCHES = ['main', 'main', 'topic/checkout', 'topic/search', 'fix/login', 'deps'];

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

/**
 * A made-up CI fleet that never ends: queues in front of few runners, stages, caches that are warm or cold, failures,
 * cancellations, one workflow that takes longer from `shiftMs` on. Updates come in the order of `at`.
 */
export function* demoFleet({ seed, idPrefix, startMs, shiftMs }: DemoFleetOptions): Generator<RaceUpdate> {
  const random = seededRandom(seed);
  const events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs || a.order - b.order);
  const free = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  let order = 0;
  let ready: RaceUpdate[] = [];
  let nowMs = startMs;
  const at = (afterSec: number, run: () => void): void => events.push({ atMs: nowMs + Math.round(1_000 * afterSec), order: order++, run });

  const submit = (workflow: Workflow, number: number): void => {
    at(exponential(random) * workflow.everySec, () => submit(workflow, number + 1));
    const id = `${idPrefix}-${workflow.title.replace(/\W+/g, '-')}-${number}`;
    const say = (facts: Partial<RaceUpdate>): void => {
      ready.push({ ...emptyUpdate(id, workflow.source, nowMs), ...facts });
    };
    const isWarm = random() < workflow.warmRatio;
    say({
      title: workflow.title, state: 'queued', queued_at: nowMs, update_interval_hint_sec: workflow.progressEverySec > 0 ? workflow.progressEverySec : 30,
      metadata: { branch: BRANCHES[Math.floor(random() * BRANCHES.length)]!, cache: isWarm ? 'warm' : 'cold', runner: `linux-${1 + Math.floor(random() * RUNNERS)}`, event: random() < 0.7 ? 'push' : 'pull_request' },
    });
    const lengths = workflow.stages.map(([name, medianSec]) => medianSec * Math.exp(SPREAD * bell(random)) * (name === CACHED_STAGE && isWarm ? 0.1 : 1) * (workflow.isShifting === true && nowMs >= shiftMs ? 1.8 : 1));
    const total = lengths.reduce((sum, sec) => sum + sec, 0);
    const fate = random();
    const state = fate < workflow.failRatio ? 'failed' : fate < workflow.failRatio + workflow.cancelRatio ? 'canceled' : 'passed';
    // What fails or is canceled stops somewhere on its way.
    const endSec = state === 'passed' ? total : total * (0.2 + 0.75 * random());
    const start = (): void => {
      const startedAt = nowMs;
      say({ state: 'running', started_at: startedAt });
      let fromSec = 0;
      workflow.stages.forEach(([name], seq) => {
        const beginSec = fromSec;
        const doneSec = (fromSec += lengths[seq]!);
        const stage = (facts: Partial<StageUpdate>): void => say({ stage: { name, seq, state: 'running', started_at: startedAt + Math.round(1_000 * beginSec), completed_at: null, planned_sec: null, ...facts } });
        if (beginSec < endSec) at(beginSec, () => stage({}));
        if (doneSec <= endSec) at(doneSec, () => stage({ state: 'passed', completed_at: nowMs }));
      });
      for (let sec = workflow.progressEverySec; workflow.progressEverySec > 0 && sec < endSec; sec += workflow.progressEverySec) at(sec, () => say({ progress: Math.round((1_000 * sec) / total) / 10 }));
      at(endSec, () => {
        say({ state, completed_at: nowMs });
        const next = waiting.get(workflow.source)?.shift();
        if (next === undefined) free.set(workflow.source, free.get(workflow.source)! + 1);
        else at(1, next);
      });
    };
    const runners = free.get(workflow.source) ?? RUNNERS;
    if (runners > 0) {
      free.set(workflow.source, runners - 1);
      at(1 + 3 * random(), start);
    } else {
      const queue = waiting.get(workflow.source) ?? [];
      waiting.set(workflow.source, queue);
      queue.push(start);
    }
  };

  for (const workflow of workflows) at(random() * workflow.everySec, () => submit(workflow, 1));
  for (;;) {
    const event = events.pop()!;
    nowMs = event.atMs;
    ready = [];
    event.run();
    yield* ready;
  }
}

function exponential(random: () => number): number {
  return -Math.log(1 - random());
}

function bell(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
