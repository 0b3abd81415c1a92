import type { StageMark } from '../live/race-list.ts';
import { clockTime } from '../words.ts';

const MOST_SHOWN = 40;

/** The stages side by side, each with when it ended or should end; `more` = how many there are beyond them. */
export function StageStrip({ stages, more = 0, nowMs, timeZone, isSmall = false }: { readonly stages: readonly StageMark[]; readonly more?: number; readonly nowMs: number; readonly timeZone: string | null; readonly isSmall?: boolean }) {
  // Of many, those about the first that is not over.
  const current = stages.findIndex(({ passedAt }) => passedAt === null);
  const first = Math.max(0, Math.min(stages.length - MOST_SHOWN, (current < 0 ? stages.length : current) - MOST_SHOWN / 2));
  const shown = stages.slice(first, first + MOST_SHOWN);
  const textOf = (stage: StageMark): string => {
    if (stage.passedAt !== null) return `${stage.name}: done ${clockTime(stage.passedAt, nowMs, timeZone, true)}`;
    return stage.etaAt === null ? `${stage.name}: ${stage.state}` : `${stage.name}: by ${clockTime(stage.etaAt, nowMs, timeZone, true)}`;
  };
  if (isSmall) {
    return <div class="strip" aria-hidden="true">{shown.map((stage, index) => <span key={index} class={`is-${stage.state}${stage.passedAt === null ? '' : ' is-done'}`} title={textOf(stage)} />)}</div>;
  }
  return (
    <>
      <ol class="stages">
        {shown.map((stage, index) => (
          <li key={index} class={`is-${stage.state}${stage.passedAt === null ? '' : ' is-done'}`}>
            <span class="name">{stage.name}</span>
            <span class="sub">{stage.passedAt !== null ? clockTime(stage.passedAt, nowMs, timeZone, true) : stage.etaAt === null ? stage.state : `≈ ${clockTime(stage.etaAt, nowMs, timeZone, true)}`}</span>
            {stage.passedAt === null && stage.p90At !== null && <span class="sub">likely by {clockTime(stage.p90At, nowMs, timeZone, true)}</span>}
          </li>
        ))}
      </ol>
      {shown.length < stages.length + more && <p class="sub">{shown.length} of {stages.length + more} stages, about the first that is not over.</p>}
    </>
  );
}
