import { isDeepStrictEqual } from 'node:util';
import type { EtaUpdate } from '../../../src/forecast/eta-update.ts';
import { compareOrigins, originOf, sourceOf, type FinishedRace, type HistoryRecord, type Origin } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, encodeModel, type SourceModel } from '../../../src/forecast/model.ts';
import { forecastErrorRows, raceRow, stageRows } from '../../../src/history/rows.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import { partitionOfKey } from '../../../src/race/partition.ts';
import { isPositionKey } from '../../../src/race/position-key.ts';
import { isFinished, type PartitionState, type RaceState } from '../../../src/race/state.ts';
import type { Learner } from '../../../src/runtime/learner.ts';
import type { PartitionStore } from '../../../src/runtime/race-store.ts';
import type { Cluster } from './cluster.ts';
import type { Replayed } from './replay.ts';
import type { SimDatabase } from './sim-history-store.ts';

/** What a simulation has come to when everything is quiet. */
export type Ending = {
  readonly codec: Codec;
  readonly cluster: Cluster;
  readonly database: SimDatabase;
  readonly learners: readonly Learner[];
  /** By partition: as the owner has it, as the changelog gives it, as a straight replay of the inputs gives it. */
  readonly partitions: readonly { readonly held: PartitionStore | null; readonly restored: PartitionStore; readonly replayed: Replayed }[];
  /** No wake-up closed or expired a race: all that is known of races is a function of the inputs. */
  readonly isTimeless: boolean;
  /** No send arrived after its partition had another owner. */
  readonly isFenced: boolean;
  readonly isRecreated: boolean;
  /** Every slice's changelog goes in one send, so that a crash cannot leave a part of it: then its totals are exact by class. */
  readonly isUntorn: boolean;
};

type Report = (what: string) => void;

/** Every promise of delivery, held against an ending. Reports what is broken. */
export function checkEnding(ending: Ending, report: Report): void {
  for (const [partition, { held, restored, replayed }] of ending.partitions.entries()) {
    const say: Report = (what) => report(`partition ${partition}: ${what}`);
    checkTotals(ending, restored.position, replayed.position, partition, say);
    if (held === null) say('nobody owned it at the end');
    else checkSame('what the owner holds', racesOf(held), 'what the changelog gives', racesOf(restored), (race) => race, say);
    if (ending.isTimeless) checkSame('what the changelog gives', racesOf(restored), 'what a straight replay gives', replayed.races, factsOf, say);
    checkRevisions(ending, partition, racesOf(restored), say);
    if (ending.isTimeless && !ending.isRecreated) checkSideOutputs(ending, partition, replayed, say);
  }
  const accepted = checkHistory(ending, report);
  checkModels(ending, accepted, report);
  checkRows(ending, accepted, report);
}

function checkTotals({ cluster, isTimeless, isRecreated, isUntorn }: Ending, position: PartitionState, expected: PartitionState, partition: number, say: Report): void {
  const { read, applied, late, duplicate, forgotten, rejected, rerouted } = position;
  const sum = applied + late + duplicate + forgotten + rejected + rerouted;
  const end = cluster.partitionAt({ topic: 'race-updates', partition }).endOffset();
  if (read !== sum) say(`read ${read} inputs, but the classes add up to ${sum}`);
  if (!isRecreated && read !== end) say(`read ${read} inputs of ${end}`);
  if (position.applied_offset !== end - 1) say(`applied up to ${position.applied_offset} of ${end - 1}`);
  const known = isTimeless && isUntorn ? ['epoch', 'read', 'applied', 'late', 'duplicate', 'forgotten', 'rejected', 'rerouted'] as const : ['epoch', 'read', 'rerouted'] as const;
  for (const name of known) if (position[name] !== expected[name]) say(`${name} is ${position[name]}, a straight replay gives ${expected[name]}`);
}

function checkSame(
  nameA: string, a: ReadonlyMap<string, RaceState>, nameB: string, b: ReadonlyMap<string, RaceState>, select: (race: RaceState) => object, say: Report,
): void {
  for (const raceId of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [a.get(raceId), b.get(raceId)];
    if (one === undefined || other === undefined) {
      say(`${raceId} is ${one === undefined ? 'not ' : ''}in ${nameA}, but ${other === undefined ? 'not ' : ''}in ${nameB}`);
      continue;
    }
    const [plainOne, plainOther] = [plain(select(one)), plain(select(other))];
    if (isDeepStrictEqual(plainOne, plainOther)) continue;
    const fields = Object.keys({ ...plainOne, ...plainOther }).filter((field) => !isDeepStrictEqual(plainOne[field], plainOther[field]));
    say(`${raceId} differs between ${nameA} and ${nameB}: ${fields.map((field) => `${field} ${JSON.stringify(plainOne[field])} / ${JSON.stringify(plainOther[field])}`).join(', ').slice(0, 400)}`);
  }
}

/** What follows from the inputs alone. */
function factsOf(race: RaceState): object {
  return without(race, ['revision', 'published', 'previous_eta_sec', 'display', 'eta_revisions', 'checkpoints', 'shown_progress', 'wake_at']);
}

function checkRevisions({ codec, cluster, isFenced, isTimeless }: Ending, partition: number, races: ReadonlyMap<string, RaceState>, say: Report): void {
  const lines = new Map<string, number[]>();
  const seen = new Map<string, Set<number>>();
  for (const record of cluster.journalOf('eta-updates', partition)) {
    if (record.value === null) {
      // Forgotten: what comes after it begins with 1.
      lines.delete(record.key?.toString() ?? '');
      continue;
    }
    const { race_id: raceId, revision } = valueOf<EtaUpdate>(codec, record);
    seen.set(raceId, (seen.get(raceId) ?? new Set()).add(revision));
    // The later offset wins: a number that is sent again takes back what was numbered from it on.
    lines.set(raceId, [...(lines.get(raceId) ?? []).filter((number) => number < revision), revision]);
  }
  for (const [raceId, numbers] of seen) {
    for (const revision of numbers) if (revision > 1 && !numbers.has(revision - 1)) say(`${raceId}: revision ${revision} was sent, ${revision - 1} never`);
  }
  for (const [raceId, race] of races) {
    const line = lines.get(raceId) ?? [];
    if (race.revision === 0) continue;
    if (!(seen.get(raceId)?.has(race.revision) ?? false)) say(`${raceId}: its state says revision ${race.revision}, which was never sent`);
    // A clock that is off gives up a race, crashes before it is logged, and the next one sees no reason to.
    if (isTimeless && isFenced && line.at(-1) !== race.revision) say(`${raceId}: the last revision sent is ${line.at(-1)}, its state says ${race.revision}`);
    if (isFenced && line.some((number, index) => number !== index + 1)) say(`${raceId}: revisions ${line.join(', ')}`);
  }
}

function checkSideOutputs({ cluster }: Ending, partition: number, replayed: Replayed, say: Report): void {
  const wanted = new Set(replayed.deadLetters.map(({ record, rejection }) => `${record.partition}/${record.offset} ${rejection.code}`));
  const found = new Set<string>();
  for (const { headers } of cluster.journalOf('dead-letters', 0)) {
    const header = (name: string): string => headers.find(([one]) => one === name)?.[1].toString() ?? '';
    if (header('topic') === 'race-updates' && Number(header('partition')) === partition) found.add(`${header('partition')}/${header('offset')} ${header('code')}`);
  }
  for (const one of wanted) if (!found.has(one)) say(`${one} is not in dead-letters`);
  for (const one of found) if (!wanted.has(one)) say(`${one} is in dead-letters, but nothing is wrong with it`);
  const count = cluster.partitionCount('race-updates');
  const sent = new Map<string, number>();
  for (const { record } of replayed.reroutes) {
    const bytes = bytesOf(record);
    sent.set(bytes, (sent.get(bytes) ?? 0) + 1);
  }
  for (const [bytes, times] of sent) {
    const home = partitionOfKey(Buffer.from(bytes.split(' ')[0] ?? '', 'hex'), count);
    const arrived = cluster.journalOf('race-updates', home).filter((record) => bytesOf(record) === bytes && cluster.senderOf(record).process !== null).length;
    if (arrived < times) say(`of ${times} copies of a misplaced record ${arrived} were sent to partition ${home}`);
  }
  
}

function bytesOf({ key, value }: LogRecord): string {
  return `${key?.toString('hex') ?? ''} ${value?.toString('hex') ?? 'null'}`;
}

/** A record of race-history; what is stale for the learner may be new to the historian, which knows finished races only. */
type Accepted = { readonly record: HistoryRecord; readonly at: LogRecord; readonly isTaught: boolean; readonly isStored: boolean };

/**
 * Of race-history, the first record of each origin and those that have none, by partition; checks that they say what the inputs said. Where clocks
 * close races, a line of a former owner may have closed some that no later one did: behind greater origins, that is stale.
 */
function checkHistory(ending: Ending, report: Report): Accepted[][] {
  const { codec, cluster, isTimeless, isFenced } = ending;
  const byOrigin = new Map<string, HistoryRecord>();
  const accepted = Array.from({ length: cluster.partitionCount('race-history') }, (_, partition) => {
    const list: Accepted[] = [];
    const seen = new Set<string>();
    const highest = { taught: new Map<number, Origin>(), stored: new Map<number, Origin>() };
    const isAbove = (known: Map<number, Origin>, origin: Origin): boolean => {
      const before = known.get(origin.partition);
      if (before !== undefined && compareOrigins(origin, before) <= 0) return isTimeless;
      known.set(origin.partition, origin);
      return true;
    };
    for (const at of cluster.journalOf('race-history', partition)) {
      const record = recordOf(codec, at);
      const position = originOf(record);
      // Whoever was overdue when it was looked at: no input says so, and it may be said again.
      if (position === null) {
        list.push({ record, at, isTaught: true, isStored: false });
        continue;
      }
      const origin = originKey(record);
      const known = byOrigin.get(origin);
      // Two owners at once, by different clocks, give up different races at the same input.
      if ((isTimeless || isFenced) && known !== undefined && subjectOf(known) !== subjectOf(record)) report(`origin ${origin} is ${subjectOf(known)} and ${subjectOf(record)}`);
      byOrigin.set(origin, record);
      if (seen.has(origin)) continue;
      seen.add(origin);
      list.push({ record, at, isTaught: isAbove(highest.taught, position), isStored: record.kind === 'FinishedRace' && isAbove(highest.stored, position) });
    }
    return list;
  });
  const taught = new Map<string, Accepted>();
  const races = new Map<string, FinishedRace>();
  for (const one of accepted.flat()) {
    if (originOf(one.record) !== null) taught.set(originKey(one.record), one);
    if (one.record.kind !== 'FinishedRace' || !one.isStored) continue;
    const { value } = one.record;
    const key = `${value.race_id}#${value.attempt}`;
    const known = races.get(key);
    // A race that was forgotten and came back may have another source, and so another partition of race-history.
    if (known === undefined || compareOrigins(value.origin, known.origin) > 0) races.set(key, value);
  }
  if (isTimeless) {
    const expected = new Map(ending.partitions.flatMap(({ replayed }) => replayed.history).filter((record) => originOf(record) !== null).map((record) => [originKey(record), record]));
    for (const [origin, record] of expected) {
      const found = taught.get(origin);
      if (found === undefined) report(`${subjectOf(record)} of origin ${origin} was never sent to race-history`);
      else if (!isDeepStrictEqual(historyFacts(found.record), historyFacts(record))) report(`${subjectOf(record)} of origin ${origin} says ${JSON.stringify(historyFacts(found.record))}, not ${JSON.stringify(historyFacts(record))}`);
    }
    for (const [origin, { record }] of taught) if (!expected.has(origin)) report(`${subjectOf(record)} of origin ${origin} is in race-history, but no input says so`);
  }
  for (const { restored } of ending.partitions) {
    for (const race of racesOf(restored).values()) {
      if (!isFinished(race.state)) continue;
      const found = races.get(`${race.race_id}#${race.attempt}`);
      const said = found === undefined ? 'nothing' : `version ${found.version}, ${found.outcome} at ${found.completed_at}`;
      const wanted = `version ${race.version}, ${race.state} at ${race.completed_at ?? race.last_at}`;
      if (said !== wanted) report(`${race.race_id}#${race.attempt} ended as ${wanted}, race-history says ${said}`);
    }
  }
  return accepted;
}

function checkModels({ learners }: Ending, accepted: readonly Accepted[][], report: Report): void {
  const models = new Map<string, SourceModel>();
  for (const { record } of accepted.flat().filter(({ isTaught }) => isTaught)) {
    const source = sourceOf(record);
    const model = models.get(source) ?? createSourceModel(source);
    models.set(source, model);
    learn(model, record);
  }
  const expected = new Map([...models].map(([source, model]) => [source, Buffer.from(encodeModel(model)).toString()]));
  for (const learner of learners) {
    for (const [source, bytes] of expected) {
      const model = learner.modelOf(source);
      if (model === undefined || Buffer.from(encodeModel(model)).toString() !== bytes) {
        report(`a learner has learned ${model?.taught ?? 'nothing'} of ${source}, a straight fold of its history ${models.get(source)?.taught}, or other things`);
      }
    }
  }
}

function checkRows(ending: Ending, accepted: readonly Accepted[][], report: Report): void {
  const { codec, cluster, database: { tables } } = ending;
  const forgets = Array.from({ length: accepted.length }, (_, partition) => cluster.journalOf('race-history', partition)).flat()
    .flatMap((at) => {
      const record = recordOf(codec, at);
      return record.kind === 'Forget' ? [{ raceId: record.value.race_id, origin: originKey(record), at, atMs: Math.max(record.value.at, at.appendedAtMs) }] : [];
    });
  const firstForgets = accepted.flat().flatMap(({ record, at }) => record.kind === 'Forget' ? [{ raceId: record.value.race_id, at }] : []);
  const kept = accepted.flat().flatMap(({ record, at, isStored }) => {
    if (record.kind !== 'FinishedRace' || !isStored) return [];
    const isForgotten = firstForgets.some((forget) => forget.raceId === record.value.race_id && forget.at.partition === at.partition && forget.at.offset > at.offset);
    return isForgotten ? [] : [{ race: record.value, at }];
  });
  // What names a row of `races`: two ends under one name would replace each other. Of a topic made anew it takes the same
  // offset by chance, or the same updates once more.
  const ends = new Map<string, number>();
  const counted = new Map<string, number>();
  for (const { record, isStored } of accepted.flat()) if (record.kind === 'FinishedRace' && isStored && !record.value.correction) count(counted, record.value.source);
  for (const { record, isStored } of accepted.flat()) {
    if (record.kind === 'FinishedRace' && isStored && !record.value.correction) count(ends, `${record.value.source} ${record.value.race_id}#${record.value.attempt}@${record.value.first_offset} of epoch ${record.value.origin.epoch}`);
  }
  for (const [run, times] of ends) if (times > 1) report(`${run} ended ${times} times`);
  for (const source of new Set([...counted.keys(), ...ending.database.counted.keys()])) {
    const [wanted = 0, found = 0] = [counted.get(source), ending.database.counted.get(source)];
    if (wanted !== found) report(`source_stats counts ${found} races of ${source}, ${wanted} have ended`);
  }
  compareRows('races', kept.map(({ race, at }) => raceRow(race, at)), tables.races, report);
  compareRows('stages', kept.flatMap(({ race, at }) => stageRows(race, at)), tables.stages, report);
  compareRows('forecast_errors', kept.flatMap(({ race, at }) => forecastErrorRows(race, at)), tables.forecast_errors, report);

  const etas = new Map<string, number>();
  for (const { partition, offset } of tables.eta_revisions) count(etas, `${partition}/${offset}`);
  for (let partition = 0; partition < cluster.partitionCount('eta-updates'); partition++) {
    // What compaction took before it was read is nobody's loss.
    const isThere = new Set(cluster.recordsOf('eta-updates', partition).map(({ offset }) => offset));
    for (const record of cluster.journalOf('eta-updates', partition)) {
      if (record.value === null) continue;
      const { race_id: raceId } = valueOf<EtaUpdate>(codec, record);
      const rows = etas.get(`${partition}/${record.offset}`) ?? 0;
      const mayBeGone = !isThere.has(record.offset) || forgets.some((forget) => forget.raceId === raceId && forget.atMs >= record.appendedAtMs);
      if (rows > 1 || (rows === 0 && !mayBeGone)) report(`eta_revisions has ${rows} rows of eta-updates ${partition}/${record.offset} (${raceId})`);
    }
  }
  const audits = new Map<string, number>();
  for (const { partition, offset } of tables.audit) count(audits, `${partition}/${offset}`);
  for (let partition = 0; partition < cluster.partitionCount('race-states'); partition++) {
    for (const { key, offset } of cluster.recordsOf('race-states', partition)) {
      if (key !== null && isPositionKey(key.toString()) && audits.get(`${partition}/${offset}`) !== 1) report(`audit has ${audits.get(`${partition}/${offset}`) ?? 0} rows of race-states ${partition}/${offset}`);
    }
  }
}

/** Rows as a bag, without where their record lies: a repeat of it may be the one that was stored. The epoch is set apart by mutations. */
function compareRows(table: string, expected: readonly object[], stored: readonly object[], report: Report): void {
  const bag = new Map<string, number>();
  const text = (row: object): string => {
    return JSON.stringify(plain(without(row, ['topic', 'partition', 'offset', 'ingested_at', 'origin_epoch'])));
  };
  for (const row of expected) count(bag, text(row));
  for (const row of stored) count(bag, text(row), -1);
  for (const [row, missing] of bag) {
    if (missing > 0) report(`${table} lacks ${missing} of ${row.slice(0, 160)}`);
    if (missing < 0) report(`${table} has ${-missing} too many of ${row.slice(0, 160)}`);
  }
}

function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function racesOf(store: PartitionStore): Map<string, RaceState> {
  return new Map([...store.values()].map((race) => [race.race_id, race]));
}

function valueOf<T>(codec: Codec, { topic, value }: LogRecord): T {
  const result = value === null ? null : codec.decode(topic, value);
  if (result === null || 'error' in result) throw new Error(`A record of ${topic} cannot be read`);
  return result.decoded.value as T;
}

function recordOf(codec: Codec, { topic, value }: LogRecord): HistoryRecord {
  const result = value === null ? null : codec.decode(topic, value);
  if (result === null || 'error' in result) throw new Error(`A record of ${topic} cannot be read`);
  return result.decoded as HistoryRecord;
}

function originKey(record: HistoryRecord): string {
  const origin = originOf(record);
  return origin === null ? '' : `${origin.epoch}/${origin.partition}/${origin.offset}/${origin.index}`;
}

/** What a record is about. */
function subjectOf(record: HistoryRecord): string {
  switch (record.kind) {
    case 'FinishedRace': return `the finish of ${record.value.race_id}#${record.value.attempt} v${record.value.version} (${record.value.outcome})`;
    case 'Forget': return `the forgetting of ${record.value.race_id}`;
    case 'StageFacts': return `stages of ${record.value.facts.map(({ race_id, stage, occurrence }) => `${race_id} ${stage}#${occurrence}`).join(', ')}`;
    case 'ModelSwap': return 'a swap';
    case 'OverdueRace': return `that ${record.value.race_id} is overdue`;
  }
}

/** What a vehicle's passage teaches rests on forecasts that were made, of which a crash may lose some. */
function historyFacts({ kind, value }: HistoryRecord): unknown {
  const facts = kind === 'StageFacts' ? { facts: value.facts.map((fact) => without(fact, ['passage'])) } : {};
  return plain({ kind, ...without(value, ['checkpoints', 'revisions']), ...facts });
}

function without(value: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

/** Without prototypes, and with absent for null. */
function plain(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value, (_key, field: unknown) => field ?? undefined)) as Record<string, unknown>;
}
