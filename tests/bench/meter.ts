/** What a measured stretch of a process took. */
export type Stretch = { readonly records: number; readonly elapsedMs: number; readonly cpuMs: number };

/**
 * Measures from the record numbered `from` to the one numbered `to`, so that neither start-up nor a cold compiler
 * counts. `count` is told the number of records done so far.
 */
export function createMeter(from: number, to: number, onDone: (stretch: Stretch) => void): (done: number) => void {
  let begun: { readonly done: number; readonly atMs: number; readonly cpu: NodeJS.CpuUsage } | null = null;
  let isOver = false;
  return (done) => {
    if (isOver) return;
    if (begun === null) {
      if (done >= from) begun = { done, atMs: performance.now(), cpu: process.cpuUsage() };
      return;
    }
    if (done < to) return;
    isOver = true;
    const cpu = process.cpuUsage(begun.cpu);
    onDone({ records: done - begun.done, elapsedMs: performance.now() - begun.atMs, cpuMs: (cpu.user + cpu.system) / 1_000 });
  };
}
