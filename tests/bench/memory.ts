import type { Figure } from './bench.ts';
import { startChild } from './child.ts';
import type { MemoryProcessOptions } from './processes/memory.ts';

const ACTIVE_RACES = 10_000;
const BARE_RACES = 50_000;

/** Heap of a race in the pipeline's store: half-way through the standard mix, and one of which hardly anything is known. */
export async function memory(): Promise<Figure[]> {
  return [
    { name: 'heap_bytes_per_active_race', value: await bytesPerRace({ kind: 'mix', races: ACTIVE_RACES }), says: `${ACTIVE_RACES.toLocaleString('en-US')} races half-way through the mix, through the graph` },
    { name: 'heap_bytes_per_bare_race', value: await bytesPerRace({ kind: 'bare', races: BARE_RACES }), says: `${BARE_RACES.toLocaleString('en-US')} races of an id, a title and two keys` },
  ];
}

async function bytesPerRace(options: MemoryProcessOptions): Promise<number> {
  const child = startChild<{ bytesPerRace: number; races: number }>('memory.ts', options, ['--expose-gc']);
  try {
    const { bytesPerRace, races } = await child.next();
    if (races < options.races) throw new Error(`Of ${options.races} races ${races} are in the store`);
    return Math.round(bytesPerRace);
  } finally {
    await child.stop();
  }
}
