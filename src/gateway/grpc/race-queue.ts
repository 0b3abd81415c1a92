import { create } from '@bufbuild/protobuf';
import { ENCODED_RACE_BYTES, type FrameSink, type RaceFrame } from '../live/frame-sink.ts';
import { originRaceOf } from '../origin/race.ts';
import type { ViewedRace } from '../live/view.ts';
import { RaceUpdate_UpdateType as Type, RaceUpdateSchema, type RaceUpdate } from './generated/race_pb.js';
import { instant, raceMessage } from './messages.ts';

/** What waits for a stream's client: filled by the fan-out, emptied as fast as the client reads. */
export type RaceQueue = {
  readonly sink: FrameSink;
  /** The next messages, in order; null = the gateway has ended the stream, `ended` says why. */
  next(signal: AbortSignal): Promise<RaceUpdate[] | null>;
  ended(): { readonly code: number; readonly reason: string } | null;
};

type Waiting = { readonly frame: RaceFrame } | { readonly mark: 'resumed' | 'heartbeat'; readonly resume: string | null };

/** `withMarks`: whether the client asked for them. A race is made a message only when the client takes it, as it is then. */
export function raceQueue(withMarks: boolean): RaceQueue {
  const waiting: Waiting[] = [];
  let bytes = 0;
  let end: { readonly code: number; readonly reason: string } | null = null;
  let wake: (() => void) | null = null;
  // Ids that this stream has named; null = it was resumed, so its client knows of others.
  let known: Set<string> | null = new Set();

  const push = (item: Waiting): void => {
    if (end !== null) return;
    waiting.push(item);
    bytes += sizeOf(item);
    wake?.();
  };

  const updateOf = (race: ViewedRace): RaceUpdate => {
    const { facts, eta } = race;
    const isNew = known !== null && !known.has(facts.race_id);
    if (isNew) known?.add(facts.race_id);
    return create(RaceUpdateSchema, {
      type: isNew ? Type.CREATED : Type.UPDATED,
      race: raceMessage(originRaceOf(facts, eta), {
        ...(eta === null ? {} : { revision: eta.revision }),
        ...(eta?.p10_sec == null ? {} : { p10Sec: eta.p10_sec }),
        ...(eta?.p90_sec == null ? {} : { p90Sec: eta.p90_sec }),
        ...(eta?.finish_at == null ? {} : { finishAt: instant(eta.finish_at) }),
      }),
    });
  };

  const mark = (type: Type, resume: string | null): RaceUpdate[] => (withMarks ? [create(RaceUpdateSchema, { type, ...(resume === null ? {} : { resume }) })] : []);

  const messagesOf = (item: Waiting): RaceUpdate[] => {
    if ('mark' in item) {
      if (item.mark === 'resumed') known = null;
      return mark(item.mark === 'resumed' ? Type.RESUMED : Type.HEARTBEAT, item.resume);
    }
    const { kind, first, complete, races, removed, resume } = item.frame;
    if (kind === 'snapshot' && first) known = new Set();
    const gone = removed.map((id) => {
      known?.delete(id);
      return create(RaceUpdateSchema, { type: Type.DELETED, race: { id } });
    });
    const updates = [...(kind === 'snapshot' && first ? mark(Type.SNAPSHOT_BEGIN, null) : []), ...races.map(updateOf), ...gone];
    const last = updates.at(-1);
    if (resume !== null && last !== undefined) last.resume = resume;
    return kind === 'snapshot' && complete ? [...updates, ...mark(Type.SNAPSHOT_END, resume)] : updates;
  };

  return {
    sink: {
      sendRaces: (frame) => push({ frame }),
      mark: (kind, resume) => push({ mark: kind, resume }),
      // Only errors come as text; `close` tells of them.
      send: () => {},
      bufferedBytes: () => bytes,
      ping: () => {},
      close(code, reason) {
        end ??= { code, reason };
        // One that does not read is not made to wait for what it did not take.
        waiting.length = 0;
        bytes = 0;
        wake?.();
      },
    },
    async next(signal) {
      while (waiting.length === 0) {
        if (end !== null || signal.aborted) return null;
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        wake = null;
      }
      const item = waiting.shift()!;
      bytes -= sizeOf(item);
      return messagesOf(item);
    },
    ended: () => end,
  };
}

function sizeOf(item: Waiting): number {
  return 'mark' in item ? ENCODED_RACE_BYTES : ENCODED_RACE_BYTES * item.frame.races.length + item.frame.removed.reduce((sum, id) => sum + id.length, ENCODED_RACE_BYTES);
}
