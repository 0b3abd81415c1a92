/** The first epoch millisecond that is refused: 2100-01-01T00:00:00Z. */
const END_MS = Date.UTC(2100, 0, 1);
/** Far more than any instant needs; keeps a megabyte of digits away from the pattern. */
const MAX_LENGTH = 48;

const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/;

/**
 * Epoch milliseconds of an instant given as epoch milliseconds or as ISO 8601 with `Z` or an offset; null if it is
 * neither, or outside (1970-01-01T00:00Z, 2100-01-01T00:00Z). 0 is refused: it stands for "never" in the records.
 * Local times and bare dates are refused, since nobody can know when they were. Fractions of a millisecond are cut.
 */
export function parseInstant(value: unknown): number | null {
  if (typeof value === 'number') return inRange(Math.floor(value));
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return null;
  return inRange(parseIso(value));
}

function inRange(ms: number): number | null {
  return ms > 0 && ms < END_MS ? ms : null;
}

function parseIso(text: string): number {
  const parts = PATTERN.exec(text);
  if (parts === null) return Number.NaN;
  const [, year, month, day, hour, minute, second = '0', fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = parts;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(midnight);
  // Date.UTC rolls 30 February over to March.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return Number.NaN;
  // 60 is a leap second: the next one, as clocks without leap seconds count it.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return Number.NaN;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return Number.NaN;
  const offsetMin = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  const ofDayMs = (Number(hour) * 60 + Number(minute) - offsetMin) * 60_000 + Number(second) * 1000;
  return midnight + ofDayMs + Number(fraction.slice(0, 3).padEnd(3, '0'));
}
