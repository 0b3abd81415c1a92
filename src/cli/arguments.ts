import { InvalidArgumentError } from 'commander';

/** Parsers of option values: each throws commander's InvalidArgumentError with the range. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(`It must be a whole number in ${min}..${max}.`);
    return value;
  };
}

export function positiveNumber(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0 && value <= max)) throw new InvalidArgumentError(`It must be a number above 0, at most ${max}.`);
    return value;
  };
}

/** Seconds as a plain number or with a unit: `90`, `90s`, `1.5m`, `2h`, `1d`. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|h|d)?$/.exec(text);
  const sec = match === null ? Number.NaN : Number(match[1]) * UNIT_SEC[(match[2] ?? 's') as keyof typeof UNIT_SEC];
  if (!(sec > 0 && sec <= MAX_SEC)) throw new InvalidArgumentError('It must be a duration such as 90, 90s, 1.5m, 2h or 1d.');
  return sec;
}

const UNIT_SEC = { s: 1, m: 60, h: 3_600, d: 86_400 };
/** Ten years: the limit of every duration on the wire. */
const MAX_SEC = 315_360_000;

/** An ISO 8601 instant or a day, as epoch ms. */
export function instant(text: string): number {
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError('It must be an ISO 8601 instant such as 2026-01-31 or 2026-01-31T12:00:00Z.');
  return atMs;
}

/** Collects `k=v` pairs; the value may hold further `=`. */
export function keyValue(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const cut = text.indexOf('=');
  if (cut <= 0) throw new InvalidArgumentError('It must be key=value.');
  return { ...previous, [text.slice(0, cut)]: text.slice(cut + 1) };
}
