/**
 * Polls until `probe` gives something truthy, and returns it. An error of the probe counts as "not yet" until the
 * deadline, whose message it then joins.
 */
export async function waitUntil<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 40_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown = null;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found as NonNullable<T>;
      lastError = null;
    } catch (error) {
      lastError = error;
      if (error instanceof Error && error.message.startsWith('The service ended early')) throw error;
    }
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms until ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
