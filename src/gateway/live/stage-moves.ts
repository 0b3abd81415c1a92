import type { EtaView } from '../../bridge/frames.ts';
import type { StageMove } from '../../bridge/stage-moves.ts';
import { stageKey } from '../../forecast/course.ts';
import type { Milestone } from '../../forecast/eta-update.ts';
import { MOST_MILESTONES } from '../../forecast/milestones.ts';
import type { Stage } from '../../race/state.ts';
import { milestonesByStage } from './milestones-by-stage.ts';

const NONE: readonly StageMove[] = [];

/**
 * What the stages of a race did that its last revision does not tell, since a stage that goes as expected is no revision.
 * None while the facts are older than the revision. O(stages + milestones).
 */
export function movesSince(facts: { readonly stages: readonly Stage[]; readonly revision: number }, eta: Pick<EtaView, 'milestones' | 'revision'> | null): readonly StageMove[] {
  if (eta === null || facts.stages.length === 0 || facts.revision < eta.revision) return NONE;
  if (facts.stages.every((stage, index) => tells(eta.milestones[index], stage))) return NONE;
  const known = milestonesByStage(eta.milestones);
  // Where a revision had no room for all stages, or passed a waypoint unseen, it cannot be told which of one name they are.
  const isPartial = eta.milestones.length >= MOST_MILESTONES || eta.milestones.some(({ kind }) => kind === 'waypoint');
  const again = new Set(isPartial ? facts.stages.filter(({ occurrence }) => occurrence > 1).map(({ name }) => name) : []);
  const isUnclear = (name: string): boolean => isPartial && (again.has(name) || known.has(stageKey({ name, occurrence: 2 })));
  let room = isPartial ? 0 : MOST_MILESTONES - eta.milestones.length;
  const moves: StageMove[] = [];
  for (const stage of facts.stages) {
    const milestone = known.get(stageKey(stage));
    if (tells(milestone, stage) || isUnclear(stage.name)) continue;
    if (milestone === undefined && room-- <= 0) continue;
    moves.push([stage.name, stage.occurrence, stage.state, stage.completed_at]);
  }
  return moves;
}

function tells(milestone: Milestone | undefined, stage: Stage): boolean {
  return milestone !== undefined && milestone.name === stage.name && milestone.state === stage.state && milestone.passed_at === stage.completed_at;
}
