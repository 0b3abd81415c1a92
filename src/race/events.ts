import { noteChange, type Tally } from './ordering.ts';
import { MAX_EVENTS, type RaceEvent } from './state.ts';
import type { EventUpdate } from './update.ts';

export type MergedEvents = { readonly events: RaceEvent[]; readonly dropped: number };

/**
 * Adds an event, oldest first; one that is there already (type, time and data) is not added again. Beyond MAX_EVENTS the
 * oldest is dropped. Returns the input array itself if nothing changed. O(events).
 */
export function mergeEvent(events: RaceEvent[], update: EventUpdate, at: number, tally: Tally): MergedEvents {
  const event: RaceEvent = { type: update.type, at: update.at ?? at, data: update.data };
  let place = events.length;
  while (place > 0 && compareEvents(events[place - 1]!, event) > 0) place -= 1;
  if (place > 0 && compareEvents(events[place - 1]!, event) === 0) {
    tally.same += 1;
    return { events, dropped: 0 };
  }
  if (place === 0 && events.length >= MAX_EVENTS) {
    tally.older += 1;
    return { events, dropped: 0 };
  }
  noteChange(tally, 'note');
  const next = events.toSpliced(place, 0, event);
  if (next.length <= MAX_EVENTS) return { events: next, dropped: 0 };
  next.shift();
  return { events: next, dropped: 1 };
}

function compareEvents(a: RaceEvent, b: RaceEvent): number {
  return a.at - b.at || compareText(a.type, b.type) || compareText(a.data ?? '', b.data ?? '');
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
