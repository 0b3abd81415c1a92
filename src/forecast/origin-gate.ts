import { compareOrigins, type Origin } from './history-record.ts';

/** The highest origin seen of each input partition: what is not above it has been taken already. */
export type OriginGate = { readonly highest: Map<number, Origin> };

export function createOriginGate(): OriginGate {
  return { highest: new Map() };
}

/** Whether a record of this origin has not been taken yet. */
export function isNew(gate: OriginGate, origin: Origin): boolean {
  const highest = gate.highest.get(origin.partition);
  return highest === undefined || compareOrigins(origin, highest) > 0;
}

/** Remembers that a record of this origin has been taken. Never goes back. */
export function advance(gate: OriginGate, origin: Origin): void {
  if (isNew(gate, origin)) gate.highest.set(origin.partition, { ...origin });
}

/** Equal gates give equal bytes: JSON, by partition. */
export function encodeOriginGate(gate: OriginGate): Uint8Array {
  const rows = [...gate.highest.values()].sort((a, b) => a.partition - b.partition).map(({ partition, epoch, offset, index }) => [partition, epoch, offset, index]);
  return new TextEncoder().encode(JSON.stringify(rows));
}

/** @throws SyntaxError or TypeError on bytes that encodeOriginGate did not write. */
export function decodeOriginGate(bytes: Uint8Array): OriginGate {
  const rows = JSON.parse(new TextDecoder().decode(bytes)) as [number, number, number, number][];
  return { highest: new Map(rows.map(([partition, epoch, offset, index]) => [partition, { epoch, partition, offset, index }])) };
}
