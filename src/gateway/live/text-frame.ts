import type { Writable } from 'node:stream';

const COMMA = 0x2c;
const FINAL_TEXT = 0x81;
const SCRATCH_BYTES = 16 * 1024;
/** Where frames are made. */
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/**
 * Writes a WebSocket text frame as a server sends it: `head`, the races with commas between them, `tail`.
 *
 * One copy and one write. The system mostly takes a frame at once, so the next one is made in the same memory: memory of
 * its own for each would have the collector run all the time, which cost more than the writes.
 */
export function writeTextFrame(connection: Writable, head: string, races: readonly Buffer[], tail: string): void {
  const length = lengthOf(head, races, tail);
  const headerBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  // What has to wait its turn is held for long: no more than its own bytes.
  const isShared = headerBytes + length <= SCRATCH_BYTES && connection.writableLength === 0;
  const frame = isShared ? scratch.subarray(0, headerBytes + length) : Buffer.allocUnsafe(headerBytes + length);
  frame[0] = FINAL_TEXT;
  if (length < 126) frame[1] = length;
  else if (length < 65_536) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  fill(frame, headerBytes, head, races, tail);
  connection.write(frame);
  // Not taken as a whole: the scratch is the connection's now.
  if (isShared && connection.writableLength > 0) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
}

/** The same text without a frame around it. */
export function joined(head: string, races: readonly Buffer[], tail: string): Buffer {
  const text = Buffer.allocUnsafe(lengthOf(head, races, tail));
  fill(text, 0, head, races, tail);
  return text;
}

function lengthOf(head: string, races: readonly Buffer[], tail: string): number {
  let length = Buffer.byteLength(head) + Buffer.byteLength(tail) + Math.max(0, races.length - 1);
  for (const race of races) length += race.length;
  return length;
}

function fill(target: Buffer, from: number, head: string, races: readonly Buffer[], tail: string): void {
  let at = from + target.write(head, from);
  for (const [index, race] of races.entries()) {
    if (index > 0) target[at++] = COMMA;
    at += race.copy(target, at);
  }
  target.write(tail, at);
}
