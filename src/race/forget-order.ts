import { isPositionKey } from './position-key.ts';
import { hasControl } from './text.ts';

/**
 * Header of an order to forget a race (a record of race-updates without a value) that names a source under which its
 * history lies; it may repeat. A race that is not live any more can be forgotten in history only if somebody says so.
 */
export const FORGOTTEN_SOURCE = 'source';

const MAX_SOURCES = 16;

/** The sources that an order names, each once; what cannot be one is passed over. */
export function forgottenSources(headers: ReadonlyArray<readonly [name: string, value: Uint8Array]>): string[] {
  const sources = new Set<string>();
  for (const [name, value] of headers) {
    if (name !== FORGOTTEN_SOURCE || sources.size === MAX_SOURCES) continue;
    const source = new TextDecoder().decode(value);
    if (source.length >= 1 && source.length <= 200 && !hasControl(source) && !isPositionKey(source)) sources.add(source);
  }
  return [...sources];
}
