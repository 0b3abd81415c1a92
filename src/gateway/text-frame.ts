const COMMA = 0x2c;
const FINAL_TEXT = 0x81;
/** Frames are cut from slabs: a buffer of its own for each would have the collector run all the time. */
const SLAB_BYTES = 1024 * 1024;
const LARGEST_CUT_BYTES = SLAB_BYTES / 8;
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

/** Bytes that nobody else has, with anything in them. */
function cut(bytes: number): Buffer {
  if (bytes > LARGEST_CUT_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (used + bytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  return slab.subarray(used, used += bytes);
}

/** A WebSocket text frame as a server sends it: `head`, the races with commas between them, `tail`. One copy, one buffer. */
export function textFrame(head: string, races: readonly Buffer[], tail: string): Buffer {
  const length = lengthOf(head, races, tail);
  const headerBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = cut(headerBytes + length);
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
  return frame;
}

/** The same without a header. */
export function joined(head: string, races: readonly Buffer[], tail: string): Buffer {
  const text = cut(lengthOf(head, races, tail));
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
