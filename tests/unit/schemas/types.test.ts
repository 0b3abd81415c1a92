import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EtaUpdate, Milestone, ProgressPrediction } from '../../../src/forecast/eta-update.ts';
import type { FinishedRace, FinishedStage, Forget, ModelSwap, Origin, Outcome, OverdueRace, StageFact, StageFacts } from '../../../src/forecast/history-record.ts';
import type {
  Basis, Checkpoint, Display, DisplayState, FieldTimes, MetadataEntry, PartitionState, ProgressPoint, Published, RaceEvent, RaceState, Reason,
  ShownRevision, Stage,
} from '../../../src/race/state.ts';
import type { JourneyPartition, JourneyState } from '../../../src/journey/journey-record.ts';
import type { PassageFact, Situation } from '../../../src/journey/model.ts';
import type { Phase } from '../../../src/journey/phases.ts';
import type { PointOfInterest, RoutePoint, RouteRecord } from '../../../src/journey/route.ts';
import type { TelemetryPoint } from '../../../src/journey/telemetry.ts';
import type { EtaKind, EventUpdate, JourneyPosition, PlannedStage, RaceStateName, RaceUpdate, ReportedState, StageState, StageUpdate } from '../../../src/race/update.ts';

// Two steps that cannot both be forgotten: `satisfies` makes the compiler hold these lists against the types, and the
// tests hold them against the schema files. A field added on one side alone breaks one of the two.

/** The shape of a field in words: what it is, `[]` for an array, `?` where null is allowed. */
type ShapeOf<T> = null extends T ? `${PlainShapeOf<NonNullable<T>>}?` : PlainShapeOf<T>;
type PlainShapeOf<T> =
  [T] extends [string] ? (string extends T ? 'string' : 'enum')
  : [T] extends [number] ? 'number'
  : [T] extends [boolean] ? 'boolean'
  : [T] extends [readonly (infer Item)[]] ? `${ItemShapeOf<Item>}[]`
  : string extends keyof T ? `map of ${MapShapeOf<T[string & keyof T]>}`
  : 'record';
type ItemShapeOf<T> = [T] extends [number] ? 'number' : [T] extends [string] ? 'string' : 'record';
type MapShapeOf<T> = null extends T ? 'string?' : 'string';
type FieldsOf<T> = { readonly [Name in keyof T]-?: ShapeOf<Exclude<T[Name], undefined>> };
type SymbolsOf<T extends string> = { readonly [Name in T]: true };

const raceUpdate = {
  race_id: 'string', source: 'string', at: 'number', title: 'string?', state: 'enum?', progress: 'number?', eta_sec: 'number?', eta_kind: 'enum?',
  queued_at: 'number?', started_at: 'number?', completed_at: 'number?', metadata: 'map of string??', stage: 'record?', plan: 'record[]?',
  update_interval_hint_sec: 'number?', deeplink: 'string?', event: 'record?', deadline_at: 'number?', route_id: 'string?', position: 'record?',
} as const satisfies FieldsOf<RaceUpdate>;
const stageUpdate = {
  name: 'string', state: 'enum', seq: 'number?', started_at: 'number?', completed_at: 'number?', planned_sec: 'number?',
} as const satisfies FieldsOf<StageUpdate>;
const plannedStage = { name: 'string', planned_sec: 'number?', planned_at: 'number?' } as const satisfies FieldsOf<PlannedStage>;
const eventUpdate = { type: 'string', at: 'number?', data: 'string?' } as const satisfies FieldsOf<EventUpdate>;

const journeyPosition = {
  route_version: 'number', along_m: 'number', off_m: 'number', next: 'number', own_mps: 'number?', last_mps: 'number?', usual_mps: 'number?', moves: 'boolean', moved_at: 'number',
  trail_at: 'number?', trail_m: 'number?', passed: 'number?', passed_at: 'number?', delay_sec: 'number?',
} as const satisfies FieldsOf<JourneyPosition>;

const raceState = {
  race_id: 'string', source: 'string', title: 'string', attempt: 'number', version: 'number', state: 'enum', queued_at: 'number?', started_at: 'number?',
  completed_at: 'number?', started_derived: 'boolean', completed_derived: 'boolean', progress: 'number?', eta_sec: 'number?', eta_kind: 'enum?',
  metadata: 'record[]', stages: 'record[]', stages_dropped: 'number', plan: 'record[]', update_interval_hint_sec: 'number?', deeplink: 'string?',
  deadline_at: 'number?', route_id: 'string?', position: 'record?', events: 'record[]', events_dropped: 'number', field_at: 'record', first_at: 'number', first_offset: 'number', last_at: 'number',
  appended_at: 'number', progress_points: 'record[]', gap_count: 'number', gap_mean_sec: 'number', epoch: 'number', applied_offset: 'number',
  revision: 'number', published: 'record?', previous_eta_sec: 'number?', display: 'record', eta_revisions: 'record[]', checkpoints: 'record[]',
  shown_progress: 'number', history_index: 'number', wake_at: 'number?',
} as const satisfies FieldsOf<RaceState>;
const metadataEntry = { key: 'string', value: 'string?', at: 'number' } as const satisfies FieldsOf<MetadataEntry>;
const stage = {
  name: 'string', occurrence: 'number', seq: 'number?', state: 'enum', started_at: 'number?', completed_at: 'number?', planned_sec: 'number?', at: 'number',
} as const satisfies FieldsOf<Stage>;
const raceEvent = { type: 'string', at: 'number', data: 'string?' } as const satisfies FieldsOf<RaceEvent>;
const fieldTimes = {
  title: 'number', state: 'number', progress: 'number', eta: 'number', queued: 'number', started: 'number', completed: 'number', plan: 'number',
  hint: 'number', deeplink: 'number', deadline: 'number', route: 'number', position: 'number',
} as const satisfies FieldsOf<FieldTimes>;
const progressPoint = { at: 'number', progress: 'number' } as const satisfies FieldsOf<ProgressPoint>;
const published = {
  issued_at: 'number', event_at: 'number', eta_sec: 'number', p10_sec: 'number', p50_sec: 'number', p90_sec: 'number', confidence: 'number',
  basis: 'enum', reason: 'enum', model_version: 'string', cluster_id: 'string?', next_at: 'number?',
} as const satisfies FieldsOf<Published>;
const display = { finish_at: 'number?', state: 'enum' } as const satisfies FieldsOf<Display>;
const shownRevision = {
  revision: 'number', eta_sec: 'number', issued_at: 'number', confidence: 'number', basis: 'enum', reason: 'enum',
} as const satisfies FieldsOf<ShownRevision>;
const checkpoint = {
  revision: 'number', issued_at: 'number', elapsed_sec: 'number', eta_sec: 'number', p10_sec: 'number', p50_sec: 'number', p90_sec: 'number',
  confidence: 'number', basis: 'enum', reason: 'enum', model_version: 'string', role: 'enum',
} as const satisfies FieldsOf<Checkpoint>;
const partitionState = {
  partition: 'number', epoch: 'number', applied_offset: 'number', history_index: 'number', read: 'number', applied: 'number', late: 'number',
  duplicate: 'number', forgotten: 'number', rejected: 'number', rerouted: 'number', skipped: 'number', at: 'number',
} as const satisfies FieldsOf<PartitionState>;

const etaUpdate = {
  race_id: 'string', source: 'string', title: 'string', revision: 'number', issued_at: 'number', event_at: 'number', state: 'enum', attempt: 'number', first_offset: 'number',
  queued_at: 'number?', started_at: 'number?', completed_at: 'number?', eta_sec: 'number?', remaining_sec: 'number?', finish_at: 'number?',
  p10_sec: 'number?', p50_sec: 'number?', p90_sec: 'number?', confidence: 'number', deadline_at: 'number?', deadline_probability: 'number?',
  basis: 'enum', reason: 'enum', model_version: 'string', cluster_id: 'string?', previous_eta_sec: 'number?', display: 'record', progress: 'record?',
  milestones: 'record[]', milestones_dropped: 'number', eta_revisions: 'record[]', metadata: 'map of string', deeplink: 'string?', update_interval_hint_sec: 'number?',
} as const satisfies FieldsOf<EtaUpdate>;
const progressPrediction = {
  current: 'number', confidence: 'number', predicted_next: 'number?', next_update_at: 'number?', source: 'enum',
} as const satisfies FieldsOf<ProgressPrediction>;
const milestone = {
  name: 'string', kind: 'enum', state: 'enum', eta_at: 'number?', p10_at: 'number?', p90_at: 'number?', passed_at: 'number?', distance_m: 'number?',
  eta_type: 'enum?',
} as const satisfies FieldsOf<Milestone>;

const finishedRace = {
  origin: 'record', race_id: 'string', source: 'string', title: 'string', attempt: 'number', version: 'number', outcome: 'enum', queued_at: 'number?',
  started_at: 'number', completed_at: 'number', duration_sec: 'number', submitted_at: 'number', first_offset: 'number', metadata: 'map of string', stages: 'record[]',
  progress_points: 'record[]', client_eta_sec: 'number?', client_eta_kind: 'enum?', client_eta_elapsed_sec: 'number?', correction: 'boolean',
  checkpoints: 'record[]', revisions: 'number',
} as const satisfies FieldsOf<FinishedRace>;
const origin = { epoch: 'number', partition: 'number', offset: 'number', index: 'number' } as const satisfies FieldsOf<Origin>;
const finishedStage = {
  name: 'string', occurrence: 'number', seq: 'number', state: 'enum', started_at: 'number?', completed_at: 'number?', planned_sec: 'number?',
} as const satisfies FieldsOf<FinishedStage>;
const stageFacts = { origin: 'record', source: 'string', facts: 'record[]' } as const satisfies FieldsOf<StageFacts>;
const stageFact = {
  race_id: 'string', title: 'string', stage: 'string', occurrence: 'number', previous_stage: 'string', started_at: 'number', completed_at: 'number',
  elapsed_sec: 'number', previous_elapsed_sec: 'number', previous_leg_sec: 'number', planned_sec: 'number?', passage: 'record?',
} as const satisfies FieldsOf<StageFact>;
const passageFact = { leg: 'record?', start_delay_sec: 'number?', outcomes: 'record[]' } as const satisfies FieldsOf<PassageFact>;
const drivenLeg = {
  from: 'string', to: 'string', planned_sec: 'number?', length_m: 'number', dwell_sec: 'number', sec: 'number',
} as const satisfies FieldsOf<NonNullable<PassageFact['leg']>>;
const forecastOutcome = {
  situation: 'enum', base_sec: 'number', told_sec: 'number', actual_sec: 'number', inputs: 'number[]',
} as const satisfies FieldsOf<PassageFact['outcomes'][number]>;
const modelSwap = {
  source: 'string', version: 'string', stage: 'enum', share: 'number', previous: 'string?', at: 'number',
} as const satisfies FieldsOf<ModelSwap>;
const forget = { origin: 'record', source: 'string', race_id: 'string', at: 'number' } as const satisfies FieldsOf<Forget>;

const overdueRace = { source: 'string', title: 'string', race_id: 'string', started_at: 'number', at: 'number' } as const satisfies FieldsOf<OverdueRace>;

const journeyState = {
  race_id: 'string', source: 'string', first_offset: 'number', attempt: 'number', route_id: 'string', route_version: 'number', at: 'number', lat: 'number', lon: 'number',
  along_m: 'number', off_m: 'number', next: 'number', off_route: 'boolean', delay_sec: 'number?', phase: 'enum', departed_at: 'number?', arrived_at: 'number?',
  phase_ends_since: 'number?', certain: 'number', passages: 'record[]', hypotheses: 'record[]', outliers: 'number', stray_at: 'number', stray_lat: 'number?', stray_lon: 'number?',
  speeds: 'record[]', last_mps: 'number?', usual_mps: 'number?', moves: 'boolean', heading_deg: 'number?', trail: 'record[]', anchor_m: 'number', moved_at: 'number', sent_at: 'number',
  epoch: 'number', applied_offset: 'number',
} as const satisfies FieldsOf<JourneyState>;
const passage = { index: 'number', at: 'number', miss_m: 'number' } as const satisfies FieldsOf<JourneyState['passages'][number]>;
const hypothesis = {
  along_m: 'number', cost: 'number', off_m: 'number', next: 'number', joined_m: 'number', passages: 'record[]',
} as const satisfies FieldsOf<JourneyState['hypotheses'][number]>;
const speedSample = { at: 'number', mps: 'number' } as const satisfies FieldsOf<JourneyState['speeds'][number]>;
const trailPoint = { at: 'number', along_m: 'number' } as const satisfies FieldsOf<JourneyState['trail'][number]>;
const journeyPartition = {
  partition: 'number', epoch: 'number', applied_offset: 'number', read: 'number', applied: 'number', late: 'number', outlier: 'number', unrouted: 'number', rejected: 'number',
  rerouted: 'number', skipped: 'number', at: 'number',
} as const satisfies FieldsOf<JourneyPartition>;
const telemetryPoint = {
  race_id: 'string', at: 'number', lat: 'number', lon: 'number', speed_mps: 'number?', heading_deg: 'number?', altitude_m: 'number?', accuracy_m: 'number?', device: 'string?',
} as const satisfies FieldsOf<TelemetryPoint>;
const routeRecord = { route_id: 'string', name: 'string', points: 'record[]', pois: 'record[]', active: 'boolean' } as const satisfies FieldsOf<RouteRecord>;
const routePoint = { lat: 'number', lon: 'number', name: 'string?', planned_at: 'number?', dwell_sec: 'number?' } as const satisfies FieldsOf<RoutePoint>;
const pointOfInterest = { id: 'string', name: 'string', lat: 'number', lon: 'number', radius_m: 'number?', icon: 'string?', category: 'string?', description: 'string?' } as const satisfies FieldsOf<PointOfInterest>;

const records: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  RaceUpdate: raceUpdate, StageUpdate: stageUpdate, PlannedStage: plannedStage, EventUpdate: eventUpdate, JourneyPosition: journeyPosition, RaceState: raceState,
  MetadataEntry: metadataEntry, Stage: stage, RaceEvent: raceEvent, FieldTimes: fieldTimes, ProgressPoint: progressPoint, Published: published,
  Display: display, ShownRevision: shownRevision, Checkpoint: checkpoint, PartitionState: partitionState, EtaUpdate: etaUpdate,
  ProgressPrediction: progressPrediction, Milestone: milestone, FinishedRace: finishedRace, Origin: origin, FinishedStage: finishedStage,
  StageFacts: stageFacts, StageFact: stageFact, PassageFact: passageFact, DrivenLeg: drivenLeg, ForecastOutcome: forecastOutcome, ModelSwap: modelSwap, Forget: forget, OverdueRace: overdueRace, JourneyState: journeyState, Passage: passage, Hypothesis: hypothesis, SpeedSample: speedSample,
  TrailPoint: trailPoint, JourneyPartition: journeyPartition, TelemetryPoint: telemetryPoint, Route: routeRecord, RoutePoint: routePoint, PointOfInterest: pointOfInterest,
};

const stageStates = { pending: true, running: true, passed: true, failed: true, skipped: true } as const satisfies SymbolsOf<StageState>;
const enums: Readonly<Record<string, Readonly<Record<string, true>>>> = {
  ReportedState: { queued: true, running: true, passed: true, failed: true, canceled: true } satisfies SymbolsOf<ReportedState>,
  RaceStateName: { queued: true, running: true, passed: true, failed: true, canceled: true, abandoned: true } satisfies SymbolsOf<RaceStateName>,
  EtaKind: { total: true, remaining: true } satisfies SymbolsOf<EtaKind>,
  StageState: stageStates,
  MilestoneState: stageStates satisfies SymbolsOf<Milestone['state']>,
  MilestoneKind: { stage: true, waypoint: true, poi: true } satisfies SymbolsOf<Milestone['kind']>,
  MilestoneEtaType: { anticipated: true, estimated: true } satisfies SymbolsOf<NonNullable<Milestone['eta_type']>>,
  ProgressSource: { reported: true, interpolated: true, estimated: true } satisfies SymbolsOf<ProgressPrediction['source']>,
  Basis: {
    exact: true, telemetry: true, stage: true, progress: true, cluster: true, key: true, source: true, client: true, plan: true, bootstrap: true, none: true,
  } satisfies SymbolsOf<Basis>,
  Reason: {
    submitted: true, started: true, restarted: true, progress: true, stage_started: true, stage_done: true, passage: true, client_eta: true,
    rate_change: true, overdue: true, stuck: true, level_shift: true, model_swap: true, route_change: true, correction: true, finished: true,
    abandoned: true, other: true,
  } satisfies SymbolsOf<Reason>,
  DisplayState: { cold: true, stable: true, correcting: true, overdue: true, stuck: true, finished: true, unknown: true } satisfies SymbolsOf<DisplayState>,
  ForecastRole: { served: true, shadow: true, canary: true } satisfies SymbolsOf<Checkpoint['role']>,
  Outcome: { passed: true, failed: true, canceled: true, abandoned: true } satisfies SymbolsOf<Outcome>,
  Situation: { before: true, underWay: true, unsettled: true } satisfies SymbolsOf<Situation>,
  JourneyPhase: { pre_departure: true, in_flight: true, post_arrival: true } satisfies SymbolsOf<Phase>,
  SwapStage: { shadow: true, canary: true, active: true } satisfies SymbolsOf<ModelSwap['stage']>,
};

type AvroType = string | readonly AvroType[] | {
  readonly type: AvroType; readonly name?: string; readonly fields?: readonly { readonly name: string; readonly type: AvroType; readonly default?: unknown }[];
  readonly symbols?: readonly string[]; readonly default?: string; readonly items?: AvroType; readonly values?: AvroType;
};
type Named = Exclude<AvroType, string | readonly AvroType[]>;

const files = ['race-update', 'eta-update', 'race-state', 'history-record', 'journey-state', 'telemetry-point', 'route'];

describe.each(files)('schemas/avro/%s.avsc', (file) => {
  const named = new Map<string, Named>();
  collect(JSON.parse(readFileSync(new URL(`../../../schemas/avro/${file}.avsc`, import.meta.url), 'utf8')) as AvroType, named);

  it.each([...named].filter(([, type]) => type.type === 'record').map(([name]) => name))('%s has the fields of its type', (name) => {
    const fields = named.get(name)?.fields ?? [];
    expect(Object.fromEntries(fields.map((field) => [field.name, shapeOf(field.type, named)]))).toEqual(records[name]);
  });

  it.each([...named].filter(([, type]) => type.type === 'enum').map(([name]) => name))('%s has the values of its type', (name) => {
    expect([...named.get(name)?.symbols ?? []].sort()).toEqual(Object.keys(enums[name] ?? {}).sort());
  });

  it('gives every field that may be null the default null', () => {
    const without = [...named.values()].flatMap((type) => type.fields ?? []).filter((field) => Array.isArray(field.type) && field.default !== null);
    expect(without).toEqual([]);
  });

  it('gives every enum a default but the closed one, so that an older reader survives a new value', () => {
    const without = [...named].filter(([, type]) => type.type === 'enum' && type.default === undefined).map(([name]) => name);
    expect(without.filter((name) => name !== 'EtaKind')).toEqual([]);
  });
});

function collect(type: AvroType, named: Map<string, Named>): void {
  if (typeof type === 'string') return;
  if (isUnion(type)) {
    for (const branch of type) collect(branch, named);
    return;
  }
  if (type.name !== undefined) named.set(type.name, type);
  for (const field of type.fields ?? []) collect(field.type, named);
  for (const inner of [type.items, type.values]) if (inner !== undefined) collect(inner, named);
  if (typeof type.type !== 'string') collect(type.type, named);
}

function shapeOf(type: AvroType, named: ReadonlyMap<string, Named>): string {
  if (isUnion(type)) return `${type.filter((branch) => branch !== 'null').map((branch) => shapeOf(branch, named)).join('|')}?`;
  if (typeof type !== 'string') {
    if (type.type === 'array') return `${shapeOf(type.items ?? 'null', named)}[]`;
    if (type.type === 'map') return `map of ${shapeOf(type.values ?? 'null', named)}`;
    return type.type === 'record' || type.type === 'enum' ? type.type : shapeOf(type.type, named);
  }
  const known = named.get(type);
  if (known !== undefined) return shapeOf(known, named);
  return ['int', 'long', 'float', 'double'].includes(type) ? 'number' : type;
}

function isUnion(type: AvroType): type is readonly AvroType[] {
  return Array.isArray(type);
}
