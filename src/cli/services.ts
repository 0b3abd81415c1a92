/** What the composition root does for the command line. */
export type Services = typeof import('../main.ts');

/** Loads the composition root, with all its engines, only when a command needs it: `run` and `watch` must start at once. */
export function loadServices(): Promise<Services> {
  return import('../main.ts');
}
