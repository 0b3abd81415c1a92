// Timetables whose clock is in another zone than the vehicles', and those of the day on which clocks change, are whole hours off.

const HOUR_MS = 3_600_000;
const REMEMBERED = 9;
const MOST_HOURS = 14;

/** By how many hours the newest journeys of a source began off their plan: at most nine, the newest last. */
export type ClockVotes = readonly number[];

/** Adds the delay with which a journey was first seen at a planned place. */
export function withVote(votes: ClockVotes, delayMs: number): ClockVotes {
  const hours = Math.round(delayMs / HOUR_MS);
  return Math.abs(hours) > MOST_HOURS ? votes : [...votes.slice(1 - REMEMBERED), hours];
}

/** What most of the newest journeys are shifted by, ms; of equally many the newer. 0 without any. */
export function commonShiftMs(votes: ClockVotes): number {
  const counts = new Map<number, number>();
  let best = 0;
  for (const hours of votes) {
    const count = (counts.get(hours) ?? 0) + 1;
    counts.set(hours, count);
    if (count >= (counts.get(best) ?? 0)) best = hours;
  }
  return best * HOUR_MS;
}

/** The shift of one journey: the common one, if with it the journey is less off its plan than without. */
export function shiftMs(votes: ClockVotes, delayMs: number | null): number {
  const common = commonShiftMs(votes);
  return delayMs === null || Math.abs(delayMs - common) <= Math.abs(delayMs) ? common : 0;
}
