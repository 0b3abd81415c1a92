import type { Logger } from '../ports/logger.ts';

/** How far a partition of inputs was taken, and how many of them; part of the totals in its changelog. */
type InputPosition = { epoch: number; applied_offset: number; read: number; skipped: number };

/** Counts a record as read; false = it was taken before a crash and is only counted as skipped. */
export function takeOffset(position: InputPosition, offset: number): boolean {
  if (offset <= position.applied_offset) {
    position.skipped += 1;
    return false;
  }
  position.applied_offset = offset;
  position.read += 1;
  return true;
}

/**
 * Begins a new epoch, and says so, where the topic was made anew: it ends below what was taken of it. Of one that has grown beyond that
 * again nobody can tell: what lies below counts as taken.
 */
export function beginEpochIfRecreated(position: InputPosition, endOffset: number, { topic, partition, logger }: { readonly topic: string; readonly partition: number; readonly logger: Logger }): boolean {
  const appliedOffset = position.applied_offset;
  if (endOffset > appliedOffset) return false;
  logger.error({ partition, endOffset, appliedOffset }, `${topic} ends below the offset already applied: the topic was recreated. Starting a new epoch`);
  position.epoch += 1;
  position.applied_offset = -1;
  return true;
}
