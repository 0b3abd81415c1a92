import { parseInstant } from './instant.ts';
import { shown } from './text.ts';
import type { JourneyPosition } from './update.ts';

const MOST_VERSION = Number.MAX_SAFE_INTEGER;
/** Ten times around the earth. */
const MOST_M = 4e8;
/** No point of the earth is farther from another. */
const MOST_OFF_M = 2.1e7;
const MOST_WAYPOINTS = 400;
/** Faster than what leaves the earth. */
const MOST_MPS = 20_000;
const MOST_DELAY_SEC = 315_360_000;

type Range = { readonly least: number; readonly most: number; readonly isWhole: boolean; readonly isOptional: boolean };

const required = (least: number, most: number, isWhole = false): Range => ({ least, most, isWhole, isOptional: false });
const optional = (least: number, most: number, isWhole = false): Range => ({ least, most, isWhole, isOptional: true });

const RANGES: Readonly<Record<Exclude<keyof JourneyPosition, 'moves' | 'moved_at' | 'trail_at' | 'passed_at'>, Range>> = {
  route_version: required(0, MOST_VERSION, true),
  along_m: required(0, MOST_M),
  off_m: required(0, MOST_OFF_M),
  next: required(0, MOST_WAYPOINTS, true),
  own_mps: optional(0, MOST_MPS),
  last_mps: optional(0, MOST_MPS),
  usual_mps: optional(0, MOST_MPS),
  trail_m: optional(0, MOST_M),
  passed: optional(0, MOST_WAYPOINTS - 1, true),
  delay_sec: optional(-MOST_DELAY_SEC, MOST_DELAY_SEC),
};

/** A decoded value as a position on a route, or what is wrong with it: the field, its range, its value. Absent is null. Never throws. O(1). */
export function readJourneyPosition(raw: unknown): { readonly position: JourneyPosition } | { readonly fault: string } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { fault: `position must be an object, got ${shown(raw)}` };
  const fields = raw as Readonly<Record<string, unknown>>;
  const position: Record<string, unknown> = {};
  for (const [name, { least, most, isWhole, isOptional }] of Object.entries(RANGES)) {
    const value = fields[name] ?? null;
    const isFine = value === null ? isOptional : typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value));
    if (!isFine) return { fault: `position.${name} must be ${isWhole ? 'a whole number' : 'a number'} in ${least}..${most}, got ${shown(value)}` };
    // -0 becomes 0, as it does where it is stored.
    position[name] = value === null ? null : (value as number) + 0;
  }
  for (const name of ['moved_at', 'trail_at', 'passed_at']) {
    const value = fields[name] ?? null;
    const atMs = value === null ? null : parseInstant(value);
    if (atMs === null && (value !== null || name === 'moved_at')) return { fault: `position.${name} must be an instant in 1970..2100, got ${shown(value)}` };
    position[name] = atMs;
  }
  if (typeof fields['moves'] !== 'boolean') return { fault: `position.moves must be true or false, got ${shown(fields['moves'])}` };
  position['moves'] = fields['moves'];
  for (const [one, other] of [['trail_at', 'trail_m'], ['passed_at', 'passed']] as const) {
    if ((position[one] === null) !== (position[other] === null)) return { fault: `position.${one} and position.${other} must be given together, got ${shown(position[one])} and ${shown(position[other])}` };
  }
  return { position: position as JourneyPosition };
}

export function samePosition(a: JourneyPosition, b: JourneyPosition): boolean {
  return (Object.keys(a) as (keyof JourneyPosition)[]).every((name) => a[name] === b[name]);
}
