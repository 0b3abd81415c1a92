/** Longer texts rarely repeat. */
const MAX_LENGTH = 64;
/** About a megabyte; what is in use comes back by itself after it was cleared. */
const MAX_TEXTS = 10_000;

const known = new Map<string, string>();

/**
 * The same text, as the one copy that all races share: sources, titles, stage names and metadata come decoded anew with
 * every record, and would otherwise be held once per race. Changes nothing but memory. O(length).
 */
export function sharedText(text: string): string {
  if (text.length > MAX_LENGTH) return text;
  const found = known.get(text);
  if (found !== undefined) return found;
  if (known.size >= MAX_TEXTS) known.clear();
  known.set(text, text);
  return text;
}
