import { inject } from 'vitest';
import { areArtifactsCached } from './artifacts.ts';
import { hasMaven, javaVersion } from './jvm.ts';

declare module 'vitest' {
  // Declaration merging takes an interface.
  // oxlint-disable-next-line typescript/consistent-type-definitions
  export interface ProvidedContext {
    /** Where global-setup.ts answers. */
    enginesUrl: string;
  }
}

/**
 * Why real engines cannot run here; null = they can. For `describe.skipIf(whyNoEngines() !== null)`; prints the reason.
 * Throws instead where RACELINE_REQUIRE_ALL=1: there a skip is a failure.
 */
export function whyNoEngines(): string | null {
  const missing = javaVersion() === null ? 'no Java 17 or newer' : !areArtifactsCached() && !hasMaven() ? 'no Maven to fetch Kafka and the registry with' : null;
  return missing === null ? null : skipped(`tests against a real Kafka and registry need more than there is: ${missing}`);
}

/** For any other thing that a test cannot do without. */
export function skipped(reason: string): string {
  if (process.env['RACELINE_REQUIRE_ALL'] === '1') throw new Error(`RACELINE_REQUIRE_ALL=1, but ${reason}`);
  console.warn(`Skipped: ${reason}`);
  return reason;
}

/** `host:port` of the one-broker Kafka that all test files of a run share; started at the first call. Use a topic prefix of your own. */
export function sharedKafka(): Promise<string> {
  return ask('kafka');
}

/** Base URL of the registry that all test files of a run share; started at the first call. Use subjects of your own. */
export function sharedRegistry(): Promise<string> {
  return ask('registry');
}

async function ask(engine: 'kafka' | 'registry'): Promise<string> {
  const answer = await fetch(`${inject('enginesUrl')}/${engine}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}
