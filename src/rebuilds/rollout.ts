import { NO_VERSION } from '../forecast/model.ts';

/** As specified: one source, then all with care, then all faster. */
export type Phase = 'SingleSource' | 'AllSourcesConservative' | 'AutomaticTuning';
export type SwapStage = 'shadow' | 'canary' | 'active';

/** A decision as it was taken: a row of the table model_swaps, and where it is of a source a ModelSwap in race-history. */
export type Decision = {
  readonly atMs: number;
  /** `*` = of the phase. */
  readonly source: string;
  readonly stage: SwapStage | 'phase';
  /** A version, or nothing; of `phase`: its name. */
  readonly version: string;
  readonly share: number;
  /** Of `active`: what it is held against from now on, '' = forecasts without clusters; null = nothing. */
  readonly previous: string | null;
  readonly kind: 'start' | 'promote' | 'withdraw' | 'rollback' | 'confirm' | 'phase';
  readonly reason: string;
};

/** Where the versions of a source stand: a fold over its decisions. */
export type SourceRollout = {
  readonly source: string;
  readonly active: string | null;
  readonly activeSinceMs: number;
  /** What a rollback brings back; '' = forecasts without clusters; null = the active version is confirmed. */
  readonly previous: string | null;
  readonly candidate: { readonly version: string; readonly stage: 'shadow' | 'canary'; readonly sinceMs: number; readonly share: number } | null;
  /** Versions that were active, the newest last. */
  readonly history: readonly string[];
};

export type Rollout = {
  readonly phase: Phase;
  readonly phaseSinceMs: number;
  readonly phases: readonly { readonly phase: Phase; readonly atMs: number; readonly reason: string }[];
  readonly sources: ReadonlyMap<string, SourceRollout>;
  readonly rollbacks: number;
};

export function emptyRollout(): Rollout {
  return { phase: 'SingleSource', phaseSinceMs: 0, phases: [], sources: new Map(), rollbacks: 0 };
}

/** The state after a decision. Nothing waits for another part of the state, so nothing can lock another out. */
export function applyDecision(rollout: Rollout, decision: Decision): Rollout {
  const { source, stage, version, atMs, reason, kind } = decision;
  if (stage === 'phase') {
    const phase = version as Phase;
    return { ...rollout, phase, phaseSinceMs: atMs, phases: [...rollout.phases, { phase, atMs, reason }] };
  }
  const sources = new Map(rollout.sources);
  sources.set(source, afterSwap(rollout.sources.get(source) ?? noVersions(source), decision, stage));
  return { ...rollout, sources, rollbacks: rollout.rollbacks + Number(kind === 'rollback' || kind === 'withdraw') };
}

function noVersions(source: string): SourceRollout {
  return { source, active: null, activeSinceMs: 0, previous: null, candidate: null, history: [] };
}

function afterSwap(before: SourceRollout, { version, atMs, share, previous }: Decision, stage: SwapStage): SourceRollout {
  const named = version === NO_VERSION ? null : version;
  if (stage !== 'active') {
    const candidate = named === null ? null : { version: named, stage, sinceMs: atMs, share };
    // Taking a stage's version away touches no candidate of the other stage.
    return named === null && before.candidate?.stage !== stage ? before : { ...before, candidate };
  }
  const isConfirmed = before.active === named;
  return {
    ...before, active: named, activeSinceMs: isConfirmed ? before.activeSinceMs : atMs, previous,
    candidate: before.candidate?.version === named ? null : before.candidate, history: named === null || isConfirmed ? before.history : [...before.history, named],
  };
}

/** Versions of a source that stay published though nothing uses them: what a rollback by hand may want, and a reader that lags. Chosen. */
const SPARE_VERSIONS = 5;

/** Of the published versions, oldest first: those that nobody needs any more. */
export function needlessVersions({ active, previous, candidate, history }: SourceRollout, published: readonly string[]): string[] {
  const needed = new Set([active, previous, candidate?.version, ...history.slice(-SPARE_VERSIONS)]);
  return published.slice(0, -SPARE_VERSIONS).filter((version) => !needed.has(version));
}

/** Paired losses at submission of two versions on the same races: `difference` is that of the one on trial less the other. */
export type PairedLoss = { readonly pairs: number; readonly difference: number; readonly error: number; readonly otherLoss: number };

export const NO_PAIRS: PairedLoss = { pairs: 0, difference: 0, error: Infinity, otherLoss: 0 };

/** Pairs of a version since its trial began, and the newest of them alone: what was good for long may have turned bad. */
export type Evidence = { readonly all: PairedLoss; readonly newest: PairedLoss };

export const NO_EVIDENCE: Evidence = { all: NO_PAIRS, newest: NO_PAIRS };

/** Pairs that count as the newest. Chosen. */
export const NEWEST_PAIRS = 100;

export type RolloutSettings = {
  readonly leastShadowMs: number;
  readonly leastCanaryMs: number;
  readonly leastPairs: number;
  readonly canaryShare: number;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How long a version stays on trial at least, and on how many races. As the specification has it; faster once all is automatic. */
const settingsByPhase: Readonly<Record<Phase, RolloutSettings>> = {
  SingleSource: { leastShadowMs: DAY_MS, leastCanaryMs: 2 * DAY_MS, leastPairs: 100, canaryShare: 0.1 },
  AllSourcesConservative: { leastShadowMs: DAY_MS, leastCanaryMs: 2 * DAY_MS, leastPairs: 200, canaryShare: 0.1 },
  AutomaticTuning: { leastShadowMs: 6 * HOUR_MS, leastCanaryMs: 12 * HOUR_MS, leastPairs: 100, canaryShare: 0.25 },
};

export function settingsOf(phase: Phase): RolloutSettings {
  return settingsByPhase[phase];
}

/** Pairs before anything is called worse, and how sure that must be. Chosen, not tuned. */
const LEAST_TO_WITHDRAW = 30;
const SURE_ERRORS = 2;
/** Of the newest pairs, which are looked at anew all along: chance has more tries. */
const SURE_ERRORS_NEWEST = 3;
/** A mean loss may be higher by this share and still count as no worse. */
const NO_WORSE = 0.01;
/** A version that has convinced nobody by then is withdrawn. Chosen. */
const LONGEST_TRIAL_MS = 14 * DAY_MS;
/** How long an active version is held against the one before. Chosen. */
const PROBATION_MS = 7 * DAY_MS;

/** What is to be done with a source now; null = nothing, wait for more. */
export function decideSwap(state: SourceRollout, evidence: { readonly candidate: Evidence; readonly active: Evidence }, settings: RolloutSettings, nowMs: number): Decision | null {
  const { source, active, previous, candidate, activeSinceMs } = state;
  const swap = (stage: SwapStage, version: string, kind: Decision['kind'], reason: string, more: Partial<Decision> = {}): Decision => ({ atMs: nowMs, source, stage, version, share: 1, previous: null, kind, reason, ...more });
  if (active !== null && previous !== null) {
    const { all } = evidence.active;
    const worse = worseOf(evidence.active);
    if (worse !== null) return swap('active', previous, 'rollback', `Version ${active} is worse than what it replaced: ${said(worse)}`);
    if (nowMs - activeSinceMs >= PROBATION_MS && all.pairs >= settings.leastPairs) return swap('active', active, 'confirm', `No worse than what it replaced: ${said(all)}`);
  }
  if (candidate === null) return null;
  const { version, stage, sinceMs } = candidate;
  const ageMs = nowMs - sinceMs;
  const { all: paired } = evidence.candidate;
  const worse = worseOf(evidence.candidate);
  if (worse !== null) return swap(stage, NO_VERSION, stage === 'canary' ? 'rollback' : 'withdraw', `Version ${version} is worse than what is in force: ${said(worse)}`, { share: 0 });
  const isReady = paired.pairs >= settings.leastPairs && ageMs >= (stage === 'shadow' ? settings.leastShadowMs : settings.leastCanaryMs);
  if (isReady && paired.difference <= NO_WORSE * paired.otherLoss) {
    return stage === 'shadow' ? swap('canary', version, 'promote', said(paired), { share: settings.canaryShare }) : swap('active', version, 'promote', said(paired), { previous: active ?? NO_VERSION });
  }
  if (ageMs > LONGEST_TRIAL_MS) return swap(stage, NO_VERSION, 'withdraw', `Version ${version} has not shown in time that it is no worse: ${said(paired)}`, { share: 0 });
  return null;
}

/** The pairs that show a version to be worse; null = none do. */
function worseOf({ all, newest }: Evidence): PairedLoss | null {
  const isWorse = ({ pairs, difference, error, otherLoss }: PairedLoss, sureErrors: number): boolean => pairs >= LEAST_TO_WITHDRAW && difference > sureErrors * error && difference > NO_WORSE * otherLoss;
  if (isWorse(all, SURE_ERRORS)) return all;
  return isWorse(newest, SURE_ERRORS_NEWEST) ? newest : null;
}

function said({ pairs, difference, error, otherLoss }: PairedLoss): string {
  return `mean |ln forecast / truth| ${difference >= 0 ? '+' : ''}${difference.toFixed(4)} ± ${error.toFixed(4)} against ${otherLoss.toFixed(4)} on the same ${pairs} races`;
}

/** Accepted rebuilds that a phase needs before the next. As in the origin. */
const SUCCESSES = { SingleSource: 10, AllSourcesConservative: 50 } as const;

/** The next phase, if it is time; automatic steps go one at a time and never back. `successes`: accepted rebuilds since the phase began. */
export function decidePhase(rollout: Rollout, pilot: string | null, successes: ReadonlyMap<string, number>, nowMs: number): Decision | null {
  const step = (phase: Phase, reason: string): Decision => ({ atMs: nowMs, source: '*', stage: 'phase', version: phase, share: 1, previous: rollout.phase, kind: 'phase', reason });
  const all = [...successes.values()].reduce((a, b) => a + b, 0);
  if (rollout.phase === 'SingleSource') {
    const own = pilot === null ? 0 : successes.get(pilot) ?? 0;
    const isActive = pilot !== null && (rollout.sources.get(pilot)?.active ?? null) !== null;
    return isActive && own >= SUCCESSES.SingleSource ? step('AllSourcesConservative', `${own} accepted rebuilds of ${pilot}, and one of them is active`) : null;
  }
  if (rollout.phase === 'AllSourcesConservative') {
    const areActive = [...rollout.sources.values()].every(({ active }) => active !== null);
    return areActive && all >= SUCCESSES.AllSourcesConservative ? step('AutomaticTuning', `${all} accepted rebuilds, and every source has an active version`) : null;
  }
  return null;
}

/** Whether a source is rebuilt without being asked for. */
export function isAutomatic({ phase }: Rollout, source: string, pilot: string | null): boolean {
  return phase !== 'SingleSource' || source === pilot;
}
