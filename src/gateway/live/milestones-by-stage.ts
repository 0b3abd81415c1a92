import { stageKey } from '../../forecast/course.ts';
import type { Milestone } from '../../forecast/eta-update.ts';

/** By stageKey: of one name they come in its order, as a loop calls twice at a waypoint. Points of interest are no stages. O(milestones). */
export function milestonesByStage(milestones: readonly Milestone[]): Map<string, Milestone> {
  const stages = milestones.filter(({ kind }) => kind !== 'poi');
  const keys = keysInOrder(stages);
  return new Map(stages.map((milestone, index) => [keys[index]!, milestone]));
}

/** The milestone of each waypoint, in their order; undefined = there is none. O(waypoints + milestones). */
export function milestonesOfWaypoints(waypoints: readonly { readonly name: string }[], milestones: readonly Milestone[]): (Milestone | undefined)[] {
  const found = milestonesByStage(milestones);
  return keysInOrder(waypoints).map((key) => found.get(key));
}

function keysInOrder(named: readonly { readonly name: string }[]): string[] {
  const counts = new Map<string, number>();
  return named.map(({ name }) => {
    const occurrence = (counts.get(name) ?? 0) + 1;
    counts.set(name, occurrence);
    return stageKey({ name, occurrence });
  });
}
