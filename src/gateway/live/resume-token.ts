import type { EtaFilter } from '../../bridge/frames.ts';

/** How far a subscriber has seen: the next offsets of both topics by partition, for one filter, at an instant. */
export type ResumePoint = {
  readonly etaOffsets: readonly number[];
  readonly stateOffsets: readonly number[];
  readonly issuedAtMs: number;
};

const VERSION = '1';

/** Text of a resume point: opaque to clients, the same for every gateway over the same log. */
export function encodeResume(point: ResumePoint, filterHash: string): string {
  return [VERSION, filterHash, point.issuedAtMs.toString(36), numbers(point.etaOffsets), numbers(point.stateOffsets)].join('.');
}

/** null = not a token of this version, of this filter and for this many partitions. */
export function decodeResume(token: string, filterHash: string, partitions: number): ResumePoint | null {
  const [version, hash, issued, etas, states, ...rest] = token.split('.');
  if (version !== VERSION || hash !== filterHash || rest.length > 0) return null;
  const issuedAtMs = fromBase36(issued ?? '');
  const etaOffsets = (etas ?? '').split('-').map(fromBase36);
  const stateOffsets = (states ?? '').split('-').map(fromBase36);
  if (issuedAtMs === null || etaOffsets.length !== partitions || stateOffsets.length !== partitions) return null;
  if (!allNumbers(etaOffsets) || !allNumbers(stateOffsets)) return null;
  return { issuedAtMs, etaOffsets, stateOffsets };
}

/** 64 bits of FNV-1a over the filter's parts in a fixed order: a token serves only the filter it was made for. */
export function hashFilter(filter: EtaFilter): string {
  const canonical = JSON.stringify([
    filter.race_ids === undefined ? null : [...new Set(filter.race_ids)].sort(),
    filter.source ?? null,
    filter.states === undefined ? null : [...new Set(filter.states)].sort(),
    Object.entries(filter.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  let low = 0x811c9dc5;
  let high = 0x811c9dc5 ^ 0x5bd1e995;
  for (let i = 0; i < canonical.length; i++) {
    low = Math.imul(low ^ canonical.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ canonical.charCodeAt(canonical.length - 1 - i), 0x01000193);
  }
  return (low >>> 0).toString(36) + (high >>> 0).toString(36);
}

function numbers(values: readonly number[]): string {
  return values.map((value) => value.toString(36)).join('-');
}

function fromBase36(text: string): number | null {
  if (!/^[0-9a-z]{1,11}$/.test(text)) return null;
  const value = Number.parseInt(text, 36);
  return Number.isSafeInteger(value) ? value : null;
}

function allNumbers(values: readonly (number | null)[]): values is number[] {
  return values.every((value) => value !== null);
}
