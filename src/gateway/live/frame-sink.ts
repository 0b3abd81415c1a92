import type { ViewedRace } from './view.ts';

/** Races and ids of one frame, for a sink that does not speak JSON. */
export type RaceFrame = {
  readonly kind: 'snapshot' | 'delta';
  /** Of a snapshot: its first part, its last. */
  readonly first: boolean;
  readonly complete: boolean;
  readonly races: readonly ViewedRace[];
  readonly removed: readonly string[];
  readonly resume: string | null;
};

/** Where frames go: a WebSocket, an event stream or a gRPC stream. */
export type FrameSink = {
  /** Takes the place of `send` for races: `head`, then the races with commas between them, then `tail`. Never throws. */
  readonly sendParts?: (head: string, races: readonly Buffer[], tail: string, resume: string | null) => void;
  /** Takes the place of `send` for races, so that no JSON is made. Never throws. */
  readonly sendRaces?: (frame: RaceFrame) => void;
  /** Takes the place of `send` for `resumed` and heartbeats. Never throws. */
  readonly mark?: (kind: 'resumed' | 'heartbeat', resume: string | null) => void;

  /** `resume` is the frame's token, if it has one. Never throws. */
  send(text: string, resume: string | null): void;
  /** Bytes handed over that the client has not taken yet. */
  bufferedBytes(): number;
  /** A ping of the transport itself. */
  ping(): void;
  close(code: number, reason: string): void;
};

/** What a race is taken to need where it is not JSON. */
export const ENCODED_RACE_BYTES = 600;
