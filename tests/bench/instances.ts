import { freshLog, rounded, type Figure, type Setting } from './bench.ts';
import { SERVICE_FLAGS, startChild, type Child } from './child.ts';
import { appendAll, standardMix } from './mix.ts';
import type { PipelineProcessOptions } from './processes/pipeline.ts';

const RACES = 4_000;

type Progress = { readonly ready: true } | { readonly done: number };

/** The same backlog with one pipeline and with two, each a process, from the start of the work to its end. */
export async function instances(setting: Setting): Promise<Figure[]> {
  const broker = await setting.broker();
  const one = await updatesPerSec(broker, 1);
  const two = await updatesPerSec(broker, 2);
  return [
    { name: 'one_instance_updates_per_sec', value: Math.round(one), says: 'one pipeline, started cold' },
    { name: 'two_instances_updates_per_sec', value: Math.round(two), says: 'two pipelines in one group, started cold' },
    { name: 'two_over_one', value: rounded(two / one), says: 'broker and pipelines share the machine' },
  ];
}

async function updatesPerSec(broker: string, count: number): Promise<number> {
  const { log, prefix } = await freshLog(broker);
  const updates = standardMix(RACES);
  await appendAll(log, updates);
  await log.close();
  const children = Array.from({ length: count }, (): Child<Progress> => startChild('pipeline.ts', { broker, prefix, from: Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER, inEventTime: true, reportEvery: 500 } satisfies PipelineProcessOptions, SERVICE_FLAGS));
  try {
    const done = children.map(() => 0);
    let startedAtMs = Number.NaN;
    const finished = Promise.withResolvers<number>();
    for (const [index, child] of children.entries()) {
      void (async () => {
        for (;;) {
          const message = await child.next();
          if ('ready' in message) continue;
          if (Number.isNaN(startedAtMs)) startedAtMs = performance.now();
          done[index] = message.done;
          if (done.reduce((sum, part) => sum + part, 0) >= updates.length) return finished.resolve(performance.now());
        }
      })().catch(finished.reject);
    }
    return (updates.length * 1_000) / ((await finished.promise) - startedAtMs);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
