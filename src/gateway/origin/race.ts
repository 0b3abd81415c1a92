import type { EtaView } from '../../bridge/frames.ts';
import { isFinished, type Basis } from '../../race/state.ts';
import type { ReportedState } from '../../race/update.ts';
import { durationSec, type RaceFacts } from '../live/facts.ts';
import { iso } from '../iso.ts';

/** A race in the JSON of the compatible API, names and order as its clients know them. Instants are ISO 8601, durations whole seconds. */
export type OriginRace = {
  id: string;
  source: string;
  title: string;
  state: ReportedState;
  started_at: string;
  completed_at?: string;
  duration_sec?: number;
  /** Predicted total, counted from started_at. */
  eta_sec: number | null;
  progress: number | null;
  deeplink: string | null;
  metadata: Record<string, string> | null;
  events?: OriginEvent[];
  last_progress_update?: string;
  last_eta_update?: string;
  eta_source?: number;
  eta_confidence?: number;
  update_interval_hint?: number;
  eta_history?: OriginRevision[];
  previous_eta_sec?: number;
  eta_revisions?: OriginRevision[];
};

type OriginEvent = { type: string; data: unknown; timestamp: string };
type OriginRevision = { eta_sec: number; timestamp: string; source: number; confidence: number };

/** 1 exact, 2 the client's word, 3 learned, 4 bootstrap, 0 unspecified. */
const etaSources: Readonly<Record<Basis, number>> = {
  exact: 1, client: 2, plan: 2, telemetry: 3, stage: 3, progress: 3, cluster: 3, key: 3, source: 3, bootstrap: 4, none: 0,
};

export function originRaceOf(facts: RaceFacts, eta: EtaView | null): OriginRace {
  const duration = durationSec(facts);
  const race: OriginRace = {
    id: facts.race_id,
    source: facts.source,
    title: facts.title,
    // Its clients' state has five values and refuses a sixth.
    state: facts.state === 'abandoned' ? 'canceled' : facts.state,
    started_at: iso(facts.started_at ?? facts.queued_at ?? facts.first_at),
    ...(facts.completed_at === null ? {} : { completed_at: iso(facts.completed_at) }),
    ...(duration === null ? {} : { duration_sec: Math.floor(duration) }),
    eta_sec: eta === null || eta.eta_sec === null ? null : Math.round(eta.eta_sec),
    progress: wholeProgress(facts),
    deeplink: facts.deeplink,
    metadata: Object.keys(facts.metadata).length === 0 ? null : facts.metadata,
  };
  if (facts.events.length > 0) race.events = facts.events.map((event) => ({ type: event.type, data: eventData(event.data), timestamp: iso(event.at) }));
  if (facts.progress_at !== null) race.last_progress_update = iso(facts.progress_at);
  if (eta !== null) {
    race.last_eta_update = iso(eta.issued_at);
    race.eta_source = etaSources[eta.basis];
    race.eta_confidence = eta.confidence;
  }
  const hintSec = facts.update_interval_hint_sec ?? eta?.update_interval_hint_sec ?? null;
  if (hintSec !== null) race.update_interval_hint = Math.round(hintSec);
  if (eta !== null && eta.eta_revisions.length > 0) {
    const revisions = eta.eta_revisions.map((revision) => ({
      eta_sec: Math.round(revision.eta_sec), timestamp: iso(revision.issued_at), source: etaSources[revision.basis], confidence: revision.confidence,
    }));
    race.eta_history = revisions;
    if (eta.previous_eta_sec !== null) race.previous_eta_sec = Math.round(eta.previous_eta_sec);
    race.eta_revisions = revisions;
  }
  return race;
}

/** Event data travels as text: JSON where it was JSON. */
export function eventData(data: string | null): unknown {
  if (data === null) return null;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Never 100 before the end: 99.6 is not done. */
function wholeProgress(facts: RaceFacts): number | null {
  if (facts.progress === null) return null;
  return isFinished(facts.state) ? Math.round(facts.progress) : Math.floor(facts.progress);
}
