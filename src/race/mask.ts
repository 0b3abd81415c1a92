// The order matters: what may hold a number goes before numbers. Nothing begins behind a placeholder, so that masking
// again changes nothing. Every pattern is linear in the title's length.
const MASKS: readonly (readonly [pattern: RegExp, placeholder: string])[] = [
  [/(?<![\w>])[a-z][a-z0-9+.-]{1,15}:\/\/[^\s"'<>]+/gi, '<url>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>'],
  [/\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b/g, '<date>'],
  [/\b\d{1,2}\/\d{1,2}\/\d{4}\b/g, '<date>'],
  [/\b\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\b/g, '<time>'],
  [/(?<![\w./>-])(?:[A-Za-z]:)?[\\/][\w.@~+-]+(?:[\\/][\w.@~+-]*)+/g, '<path>'],
  [/(?<![\w./>-])(?:\.{1,2}|~)[\\/][\w.@~+\\/-]+/g, '<path>'],
  [/\bv?\d+(?:\.\d+){1,3}(?:[-+][0-9A-Za-z][0-9A-Za-z.-]{0,30})?\b/g, '<version>'],
  [/\b(?=[0-9a-f]{0,63}\d)(?=\d{0,63}[a-f])[0-9a-f]{7,64}\b/gi, '<hash>'],
  [/\d+/g, '<n>'],
];

/**
 * A title without what changes from run to run: URLs, UUIDs, dates, times, paths, versions, hashes and numbers become
 * placeholders. Titles with the same mask are runs of one kind. Idempotent.
 */
export function maskTitle(title: string): string {
  let masked = title;
  for (const [pattern, placeholder] of MASKS) masked = masked.replace(pattern, placeholder);
  return masked;
}
