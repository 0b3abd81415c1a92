import type { LogRecord } from '../ports/record-log.ts';

/** Of a record in race-updates that asks to give up a race: `epoch/offset` of the last update that was heard of it. */
export const GIVE_UP_HEADER = 'give_up';

/** The update that nothing was heard of a race after. */
export type LastHeard = { readonly epoch: number; readonly offset: number };

/** Asks to give up a race that has fallen silent. */
export type GiveUp = { readonly kind: 'give-up'; readonly raceId: string; readonly source: string; readonly lastAtMs: number; readonly heard: LastHeard };

/** null = the record is an update like any other. */
export function giveUpIn(record: LogRecord): LastHeard | null {
  if (record.headers.length === 0) return null;
  const text = record.headers.find(([name]) => name === GIVE_UP_HEADER)?.[1].toString();
  const match = text === undefined ? null : /^(\d{1,9})\/(\d{1,15})$/.exec(text);
  return match === null ? null : { epoch: Number(match[1]), offset: Number(match[2]) };
}
