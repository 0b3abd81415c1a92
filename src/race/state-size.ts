import type { RaceState } from './state.ts';

// Bytes in Avro of what is always there, of one stage, metadata entry, event, planned stage, checkpoint and shown
// revision, without their texts: long instants take 6 bytes, doubles 8.
const RACE_BYTES = 500;
const STAGE_BYTES = 48;
const ENTRY_BYTES = 10;
const EVENT_BYTES = 12;
const PLANNED_BYTES = 18;
const CHECKPOINT_BYTES = 90;
const SHOWN_BYTES = 40;
const POSITION_BYTES = 100;

/**
 * About how many bytes the race takes in its changelog: exact to a few percent for ASCII. Texts count their UTF-16
 * units, of which each takes at most 3 bytes: a race at MAX_STATE_BYTES stays below Kafka's limit in any script.
 * O(stages + metadata + events + plan).
 */
export function approximateStateBytes(race: RaceState): number {
  let bytes = RACE_BYTES + race.race_id.length + race.source.length + race.title.length
    + (race.deeplink?.length ?? 0) + (race.route_id?.length ?? 0)
    + race.checkpoints.length * CHECKPOINT_BYTES + race.eta_revisions.length * SHOWN_BYTES + (race.position === null ? 0 : POSITION_BYTES);
  for (const stage of race.stages) bytes += STAGE_BYTES + stage.name.length;
  for (const entry of race.metadata) bytes += ENTRY_BYTES + entry.key.length + (entry.value?.length ?? 0);
  for (const event of race.events) bytes += EVENT_BYTES + event.type.length + (event.data?.length ?? 0);
  for (const planned of race.plan) bytes += PLANNED_BYTES + planned.name.length;
  return bytes;
}
