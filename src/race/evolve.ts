import { reject, type Rejection } from '../errors.ts';
import { abandon, revive } from './abandon.ts';
import { appended } from './appended.ts';
import { newRace, nextAttempt, opensAttempt, tellsOfEarlierAttempt, tellsOfNextAttempt } from './attempt.ts';
import type { Change } from './change.ts';
import { mergeEvent } from './events.ts';
import { samePosition } from './journey-position.ts';
import { mergeMetadata } from './metadata.ts';
import { newTally, noteChange, type Tally, wins } from './ordering.ts';
import { sharedText } from './shared-text.ts';
import { approximateStateBytes } from './state-size.ts';
import { beginOf, hasBegun, isStageOpen, mergeStage } from './stages.ts';
import { isFinished, MAX_STATE_BYTES, type ProgressPoint, type RaceState, type Reason, type Stage } from './state.ts';
import type { PlannedStage, RaceStateName, RaceUpdate } from './update.ts';

/** Where the update lies in race-updates: the generation of the topic, the offset, and when the log took it (epoch ms). */
export type Position = { readonly epoch: number; readonly offset: number; readonly appendedAtMs: number };

/**
 * What became of an update: `applied` something is known now that was not; `late` nothing in it is newer than what is
 * known; `duplicate` a repeat of what was applied; `rejected` for dead-letters.
 */
export type EvolveResult =
  | { readonly outcome: 'applied'; readonly race: RaceState; readonly change: Change }
  | { readonly outcome: 'late' }
  | { readonly outcome: 'duplicate' }
  | { readonly outcome: 'rejected'; readonly rejection: Rejection };

const LATE: EvolveResult = { outcome: 'late' };
const DUPLICATE: EvolveResult = { outcome: 'duplicate' };
/** The curve of progress is learned from so many reports. */
export const MAX_PROGRESS_POINTS = 8;
/** A gap weighs at least 1 in so many, so that the mean follows a producer that changes its pace. Chosen, not tuned. */
const GAP_MEMORY = 32;
const NO_STAGES: readonly Stage[] = [];

/**
 * Applies one normalized update to a race; `undefined` = not known yet, and any update opens it. Never changes `race`:
 * what changed is copied, the rest shared. The caller skips offsets that were applied before.
 *
 * Field by field the last writer by event time wins, on a tie the update in hand: without contradicting ends and new
 * attempts, the facts do not depend on the order of updates. The rules that are not plain last-writer-wins:
 * - **State.** passed, failed and canceled are final for the attempt, whatever `at` other states carry. A stage that has
 *   begun, `started_at` and a progress above 0 say `running` where the update says no state.
 * - **Times.** A start that nobody told is the earliest time at which the race is known to have run, and an end that
 *   nobody told is the `at` of the final state; what is told replaces them (`started_derived`, `completed_derived`; while
 *   derived, `field_at.started` holds that earliest time, 0 = none). A race that ended without any sign of a start
 *   started when it was queued, else at its first update.
 * - **Attempts.** A new `started_at` after the end opens attempt n + 1 (see attempt.ts). What else tells of a run before
 *   or after the present attempt is late; its title, metadata and links count.
 * - **After the end** a report of progress, an estimate or a mere sign of life is late; facts that change are a correction,
 *   with the next `version`; events, links, plans, and facts that are only said again are kept without one.
 * - **Abandoned** races are revived by an update newer than all others, or by a final state.
 *
 * Rejects `source_changed`, `finish_before_start`, `metadata_too_large`, `state_too_large`. O(what the race holds), about
 * 1 µs for a usual race.
 */
export function evolve(race: RaceState | undefined, update: RaceUpdate, position: Position): EvolveResult {
  if (race === undefined) return merge(newRace(update, position.appendedAtMs, position.offset), update, position, 'opened');
  if (race.source !== update.source) {
    const message = `Cannot take the update: the source of race ${race.race_id} is ${race.source}, got ${update.source}`;
    return { outcome: 'rejected', rejection: reject('source_changed', message) };
  }
  if (opensAttempt(race, update)) return merge(nextAttempt(race, update), update, position, 'restarted');
  if (race.state !== 'abandoned') return merge(race, update, position, 'known');
  const result = merge(revive(race), update, position, 'revived');
  if (result.outcome !== 'applied' || update.at > race.last_at || isFinished(result.race.state)) return result;
  // An older fact is no sign of life.
  const change: Change = { ...result.change, reason: 'correction', significant: true, started: false, corrected: true };
  return { outcome: 'applied', race: abandon(result.race, race.completed_at ?? race.last_at), change };
}

/** How the state below the update came about. */
type Opening = 'opened' | 'restarted' | 'revived' | 'known';

/** What the merge of the parts found, for the `Change`. */
type Seen = { moved: Stage | null; progress: boolean; position: boolean; eta: boolean; plan: boolean; route: boolean };

function merge(base: RaceState, update: RaceUpdate, position: Position, opening: Opening): EvolveResult {
  const tally = newTally();
  const draft: RaceState = { ...base, field_at: { ...base.field_at } };
  const seen: Seen = { moved: null, progress: false, position: false, eta: false, plan: false, route: false };
  mergeAbout(draft, base, update, tally, seen);
  if (update.metadata !== null) {
    const merged = mergeMetadata(base.metadata, update.metadata, update.at, tally);
    if ('rejection' in merged) return { outcome: 'rejected', rejection: merged.rejection };
    draft.metadata = merged.entries;
  }
  const ofThisRun = !tellsOfEarlierAttempt(base, update) && !tellsOfNextAttempt(base, update);
  if (ofThisRun) mergeRun(draft, base, update, tally, seen);
  else tally.older += 1;
  deriveTimes(draft, ofThisRun ? Math.min(base.first_at, update.at) : base.first_at);
  if (draft.started_at !== base.started_at || draft.completed_at !== base.completed_at) noteChange(tally, 'fact');

  const outcome = opening === 'opened' || opening === 'restarted' ? 'applied' : classify(base, update, tally);
  if (outcome === 'late') return LATE;
  if (outcome === 'duplicate') return DUPLICATE;
  if (startsAfterItsEnd(draft)) {
    const message = `Cannot take the update: completed_at must not be before the start at ${draft.started_at}, got ${draft.completed_at}`;
    return { outcome: 'rejected', rejection: reject('finish_before_start', message) };
  }
  if (ofThisRun && update.at < base.first_at) draft.first_at = update.at;
  noteTimes(draft, base, update, position, opening);
  const wasFinished = isFinished(base.state);
  if (isFinished(draft.state) && (!wasFinished || tally.facts)) draft.version = base.version + 1;
  const tooLarge = shrink(draft, base, update);
  if (tooLarge !== null) return { outcome: 'rejected', rejection: tooLarge };
  return { outcome: 'applied', race: draft, change: changeOf(draft, base, tally, seen, opening) };
}

/** What holds for all attempts: title, links, deadline, route. */
function mergeAbout(draft: RaceState, base: RaceState, update: RaceUpdate, tally: Tally, seen: Seen): void {
  const { at } = update;
  const known = draft.field_at;
  if (update.title !== null && wins(tally, at, known.title, update.title === base.title, 'fact')) {
    draft.title = sharedText(update.title);
    known.title = at;
  }
  const hint = update.update_interval_hint_sec;
  if (hint !== null && wins(tally, at, known.hint, hint === base.update_interval_hint_sec, 'note')) {
    draft.update_interval_hint_sec = hint;
    known.hint = at;
  }
  if (update.deeplink !== null && wins(tally, at, known.deeplink, update.deeplink === base.deeplink, 'note')) {
    draft.deeplink = update.deeplink;
    known.deeplink = at;
  }
  if (update.deadline_at !== null && wins(tally, at, known.deadline, update.deadline_at === base.deadline_at, 'note')) {
    draft.deadline_at = update.deadline_at;
    known.deadline = at;
  }
  if (update.route_id !== null && wins(tally, at, known.route, update.route_id === base.route_id, 'note')) {
    seen.route = update.route_id !== base.route_id;
    draft.route_id = update.route_id;
    known.route = at;
  }
}

/** What belongs to one attempt. */
function mergeRun(draft: RaceState, base: RaceState, update: RaceUpdate, tally: Tally, seen: Seen): void {
  const { at } = update;
  const known = draft.field_at;
  if (update.plan !== null && wins(tally, at, known.plan, samePlan(update.plan, base.plan), 'note')) {
    seen.plan = !samePlan(update.plan, base.plan);
    if (seen.plan) draft.plan = update.plan;
    known.plan = at;
  }
  mergeState(draft, base, update, tally);
  mergeTimes(draft, base, update, tally);
  mergeProgress(draft, base, update, tally, seen);
  mergePosition(draft, base, update, tally, seen);
  if (update.stage !== null) {
    const merged = mergeStage(base.stages, update.stage, at, tally);
    draft.stages = merged.stages;
    draft.stages_dropped += merged.dropped;
    seen.moved = merged.moved;
  }
  if (update.event !== null) {
    const merged = mergeEvent(base.events, update.event, at, tally);
    draft.events = merged.events;
    draft.events_dropped += merged.dropped;
  }
}

function mergeState(draft: RaceState, base: RaceState, update: RaceUpdate, tally: Tally): void {
  const { at } = update;
  const said = update.state ?? (saysRunning(update) ? 'running' : null);
  if (said === null) return;
  const known = draft.field_at;
  if (isFinished(said)) {
    if (!isFinished(base.state)) {
      noteChange(tally, 'fact');
      draft.state = said;
      known.state = at;
    } else if (said !== base.state) {
      tally.older += 1;
    } else if (at < known.state) {
      // The end was told before: an end that is derived lies there.
      tally.touched = true;
      known.state = at;
    } else if (at === known.state) {
      tally.same += 1;
    }
  } else if (isFinished(base.state)) {
    if (update.state !== null) tally.older += 1;
  } else if (wins(tally, at, known.state, said === base.state, 'fact')) {
    draft.state = said;
    known.state = at;
  }
}

/** True if the update says no state, but things that only a running race does. */
function saysRunning(update: RaceUpdate): boolean {
  return update.started_at !== null || (update.progress ?? 0) > 0 || (update.stage !== null && hasBegun(update.stage.state));
}

function mergeTimes(draft: RaceState, base: RaceState, update: RaceUpdate, tally: Tally): void {
  const { at } = update;
  const known = draft.field_at;
  if (update.queued_at !== null && wins(tally, at, known.queued, update.queued_at === base.queued_at, 'fact')) {
    draft.queued_at = update.queued_at;
    known.queued = at;
  }
  const told = base.started_at !== null && !base.started_derived;
  if (update.started_at !== null) {
    // A derived start carries the time of its evidence in `field_at`: it never wins against what is told.
    if (wins(tally, at, told ? known.started : 0, told && update.started_at === base.started_at, 'fact')) {
      draft.started_at = update.started_at;
      draft.started_derived = false;
      known.started = at;
    }
  } else if (!told) {
    const begunAt = begunBy(update, isFinished(base.state) ? known.state : Infinity);
    if (begunAt !== null && (known.started === 0 || begunAt < known.started)) known.started = begunAt;
    else if (begunAt !== null && begunAt === known.started) tally.same += 1;
  }
  if (update.completed_at !== null) {
    const ended = base.completed_at !== null && !base.completed_derived;
    if (wins(tally, at, known.completed, ended && update.completed_at === base.completed_at, 'fact')) {
      draft.completed_at = update.completed_at;
      draft.completed_derived = false;
      known.completed = at;
    }
  }
}

/** The earliest time up to `latest` at which the race ran, as an update without `started_at` tells; null if it does not. */
function begunBy(update: RaceUpdate, latest: number): number | null {
  if (update.state === 'queued') return null;
  const stageBegan = update.stage === null ? null : beginOf(update.stage, update.at);
  const runs = update.state === 'running' || (update.state === null && saysRunning(update));
  const begunAt = stageBegan === null ? (runs ? update.at : null) : Math.min(stageBegan, update.at);
  return begunAt !== null && begunAt <= latest ? begunAt : null;
}

/** Fills in start and end where nobody told them. */
function deriveTimes(draft: RaceState, firstAt: number): void {
  const finished = isFinished(draft.state);
  const told = draft.completed_at !== null && !draft.completed_derived;
  if (draft.started_at === null || draft.started_derived) {
    const evidence = draft.field_at.started;
    const startedAt = evidence > 0 ? evidence : finished ? (draft.queued_at ?? firstAt) : null;
    draft.started_at = startedAt !== null && told ? Math.min(startedAt, draft.completed_at!) : startedAt;
    draft.started_derived = startedAt !== null;
  }
  if (told) return;
  // Clocks differ: an end that nobody told is not before the start.
  draft.completed_at = finished ? Math.max(draft.field_at.state, draft.started_at ?? 0) : null;
  draft.completed_derived = finished;
}

function startsAfterItsEnd(draft: RaceState): boolean {
  return draft.completed_at !== null && draft.started_at !== null && draft.completed_at < draft.started_at;
}

function mergeProgress(draft: RaceState, base: RaceState, update: RaceUpdate, tally: Tally, seen: Seen): void {
  const { at, progress } = update;
  const known = draft.field_at;
  if (isFinished(base.state)) {
    if (progress !== null) noteIgnored(tally, at === known.progress && progress === base.progress);
    if (update.eta_sec !== null) noteIgnored(tally, at === known.eta && update.eta_sec === base.eta_sec);
    return;
  }
  if (progress !== null && wins(tally, at, known.progress, progress === base.progress, 'note')) {
    seen.progress = progress !== base.progress;
    draft.progress = progress;
    draft.progress_points = withPoint(base.progress_points, { at, progress });
    known.progress = at;
  }
  if (update.eta_sec !== null) {
    const kind = update.eta_kind ?? base.eta_kind;
    const equal = update.eta_sec === base.eta_sec && kind === base.eta_kind;
    if (wins(tally, at, known.eta, equal, 'note')) {
      seen.eta = !equal;
      draft.eta_sec = update.eta_sec;
      draft.eta_kind = kind;
      known.eta = at;
    }
  }
}

function mergePosition(draft: RaceState, base: RaceState, { at, position }: RaceUpdate, tally: Tally, seen: Seen): void {
  if (position === null) return;
  const known = draft.field_at;
  const isSame = base.position !== null && samePosition(position, base.position);
  if (isFinished(base.state)) noteIgnored(tally, at === known.position && isSame);
  else if (wins(tally, at, known.position, isSame, 'note')) {
    seen.position = !isSame;
    draft.position = position;
    known.position = at;
  }
}

function noteIgnored(tally: Tally, same: boolean): void {
  if (same) tally.same += 1;
  else tally.older += 1;
}

/** The reports at which progress changed, oldest first, the last eight; `point` is not older than the last of them. */
function withPoint(points: ProgressPoint[], point: ProgressPoint): ProgressPoint[] {
  const last = points.at(-1);
  if (last !== undefined && last.progress === point.progress) return points;
  if (last === undefined || last.at !== point.at) return points.length < MAX_PROGRESS_POINTS ? appended(points, point) : shifted(points, point);
  const kept = points.slice(0, -1);
  return kept.at(-1)?.progress === point.progress ? kept : appended(kept, point);
}

/** The points without the first, and one more. */
function shifted(points: readonly ProgressPoint[], point: ProgressPoint): ProgressPoint[] {
  const moved = points.slice();
  for (let i = 1; i < moved.length; i++) moved[i - 1] = moved[i]!;
  moved[moved.length - 1] = point;
  return moved;
}

function samePlan(a: readonly PlannedStage[], b: readonly PlannedStage[]): boolean {
  return a.length === b.length && a.every((stage, i) => {
    const other = b[i]!;
    return stage.name === other.name && stage.planned_sec === other.planned_sec && stage.planned_at === other.planned_at;
  });
}

function classify(base: RaceState, update: RaceUpdate, tally: Tally): 'applied' | 'late' | 'duplicate' {
  // After the end a mere sign of life tells nothing.
  if (tally.changed || tally.touched || (update.at > base.last_at && !isFinished(base.state))) return 'applied';
  if (tally.same > 0) return 'duplicate';
  const known = update.at === base.last_at || update.at === base.first_at;
  return known && tally.older === 0 ? 'duplicate' : 'late';
}

function noteTimes(draft: RaceState, base: RaceState, update: RaceUpdate, position: Position, opening: Opening): void {
  draft.epoch = position.epoch;
  draft.applied_offset = position.offset;
  if (update.at < base.last_at) return;
  draft.last_at = update.at;
  draft.appended_at = position.appendedAtMs;
  const gapSec = (update.at - base.last_at) / 1000;
  // The pause between two attempts, or of a producer that was given up, is not its pace.
  if (gapSec === 0 || opening !== 'known') return;
  draft.gap_count = base.gap_count + 1;
  draft.gap_mean_sec = base.gap_mean_sec + (gapSec - base.gap_mean_sec) / Math.min(draft.gap_count, GAP_MEMORY);
}

/** Keeps a race that grew within MAX_STATE_BYTES: drops its oldest events first, else says why it cannot. */
function shrink(draft: RaceState, base: RaceState, update: RaceUpdate): Rejection | null {
  const grows = update.stage !== null || update.metadata !== null || update.event !== null || update.plan !== null
    || update.title !== null || update.deeplink !== null;
  if (!grows) return null;
  let bytes = approximateStateBytes(draft);
  if (bytes <= MAX_STATE_BYTES) return null;
  if (draft.events.length > 0) {
    let dropped = 0;
    while (bytes > MAX_STATE_BYTES && dropped < draft.events.length) {
      const event = draft.events[dropped]!;
      bytes -= event.type.length + (event.data?.length ?? 0);
      dropped += 1;
    }
    draft.events = draft.events.slice(dropped);
    draft.events_dropped += dropped;
    bytes = approximateStateBytes(draft);
  }
  if (bytes <= MAX_STATE_BYTES || bytes <= approximateStateBytes(base)) return null;
  return reject('state_too_large', `Cannot take the update: the race must need at most ${MAX_STATE_BYTES} bytes, got ${bytes} with it`);
}

function changeOf(draft: RaceState, base: RaceState, tally: Tally, seen: Seen, opening: Opening): Change {
  const wasFinished = isFinished(base.state);
  const finished = !wasFinished && isFinished(draft.state);
  const started = draft.state === 'running' && base.state !== 'running';
  const corrected = wasFinished && tally.facts;
  const ended = seen.moved !== null && !isStageOpen(seen.moved.state);
  return {
    reason: reasonOf(draft, base.state, seen, opening, corrected),
    significant: opening !== 'known' || finished || corrected || draft.state !== base.state || seen.moved !== null || seen.plan || seen.route,
    started,
    restarted: opening === 'restarted',
    finished,
    corrected,
    finishedStages: ended && seen.moved !== null ? [seen.moved] : NO_STAGES,
  };
}

/** The weightiest thing that changed. */
function reasonOf({ state: now, route_id: routeId }: RaceState, before: RaceStateName, seen: Seen, opening: Opening, corrected: boolean): Reason {
  if (opening === 'opened') return 'submitted';
  if (opening === 'restarted') return 'restarted';
  if (corrected) return 'correction';
  if (now !== before && isFinished(now)) return 'finished';
  if (now !== before && now === 'running') return 'started';
  if (seen.moved !== null && !isStageOpen(seen.moved.state)) return routeId === null ? 'stage_done' : 'passage';
  if (seen.moved !== null && seen.moved.state === 'running') return 'stage_started';
  if (seen.route) return 'route_change';
  if (seen.progress || seen.position) return 'progress';
  return seen.eta ? 'client_eta' : 'other';
}
