import { GIVE_UP_HEADER, type GiveUp } from '../operators/give-up.ts';
import type { Codec } from '../ports/codec.ts';
import type { NewRecord } from '../ports/record-log.ts';
import { emptyUpdate } from '../race/update.ts';

/** The asking as a record of race-updates. To a reader that does not know of it, an update that says nothing new. */
export function giveUpRecord(codec: Codec, { raceId, source, lastAtMs, heard }: GiveUp): NewRecord {
  return {
    key: Buffer.from(raceId), value: codec.encode('race-updates', emptyUpdate(raceId, source, lastAtMs)),
    headers: [[GIVE_UP_HEADER, Buffer.from(`${heard.epoch}/${heard.offset}`)]],
  };
}
