/** Inputs that a fuzz test tries: `few` in the ordinary suite, RACELINE_FUZZ_RUNS in a long run (100000). */
export function runsOf(few: number): number {
  const wanted = Number(process.env['RACELINE_FUZZ_RUNS'] ?? 0);
  return wanted > 0 ? wanted : few;
}

/** Enough for a long run on a slow machine. */
export const FUZZ_TIMEOUT_MS = 1_800_000;
