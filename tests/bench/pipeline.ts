import type { Figure, Setting } from './bench.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { restart } from './restart.ts';
import { throughput } from './throughput.ts';

/** All that is promised of the pipeline: its rate and CPU beside the bare loop, latency, memory, restart. */
export async function pipeline(setting: Setting): Promise<Figure[]> {
  return [...await throughput(setting), ...await latency(setting), ...await memory(), ...await restart(setting)];
}
