// Text that comes from outside: how long it is, what it hides, how it is quoted in a message.

const MAX_SHOWN = 80;

/** True for a C0 or C1 control character, NUL and DEL among them. */
function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/** True if any character is a control character. O(length), allocates nothing. */
export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (isControl(text.charCodeAt(i))) return true;
  }
  return false;
}

/** True if the text has more than `limit` code points. Counts only where the length in UTF-16 units leaves it open. */
export function isLonger(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  if (text.length > 2 * limit) return true;
  let points = 0;
  for (let i = 0; i < text.length; i++) {
    points += 1;
    if (text.codePointAt(i)! > 0xffff) i += 1;
  }
  return points > limit;
}

/** The text on one line: control characters become spaces, lone surrogates U+FFFD, both ends are trimmed. Clean text comes back as it is. */
export function oneLine(text: string): string {
  if (!hasControl(text)) return (text.isWellFormed() ? text : text.toWellFormed()).trim();
  let line = '';
  for (let i = 0; i < text.length; i++) line += isControl(text.charCodeAt(i)) ? ' ' : text[i];
  return line.toWellFormed().trim();
}

/** Bytes of the text in UTF-8 (a lone surrogate counts as U+FFFD). O(length), allocates nothing. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) {
      bytes += 1;
    } else {
      bytes += 2;
      const low = code >= 0xd800 && code < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      // A pair is two units and four bytes.
      if (low >= 0xdc00 && low < 0xe000) i += 1;
    }
  }
  return bytes;
}

/** A value as it is quoted in a message: at most 80 characters of it, control characters escaped; objects by their kind only. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value).slice(0, MAX_SHOWN);
}

function quoted(text: string): string {
  const head = text.length > MAX_SHOWN ? text.slice(0, MAX_SHOWN).toWellFormed() : text;
  let out = '"';
  for (let i = 0; i < head.length; i++) {
    const code = head.charCodeAt(i);
    out += isControl(code) ? `\\u${code.toString(16).padStart(4, '0')}` : head[i];
  }
  out = out.toWellFormed();
  return text.length > MAX_SHOWN ? `${out}..." (${text.length} characters)` : `${out}"`;
}
