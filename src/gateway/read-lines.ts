import type { Readable } from 'node:stream';

/** `text` is null when the bytes are no UTF-8; `long` = over the line limit; `too_much` = over the limit in all, the last. */
export type Line =
  | { readonly kind: 'line'; readonly number: number; readonly text: string | null }
  | { readonly kind: 'long'; readonly number: number }
  | { readonly kind: 'too_much'; readonly number: number };

const LINE_FEED = 0x0a;

/** Splits bytes into lines as they come; holds one line at most. A last line needs no line feed. Leaves the source open when it stops early: an answer may still have to go out on its socket. */
export async function* readLines(source: Readable, maxBytes: number, maxLineBytes: number): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let parts: Uint8Array[] = [];
  let held = 0;
  let read = 0;
  let number = 1;
  let skipping = false;

  const decode = (bytes: Uint8Array): string | null => {
    try {
      return decoder.decode(bytes);
    } catch {
      return null;
    }
  };
  const take = (): string | null => {
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    parts = [];
    held = 0;
    return decode(bytes);
  };

  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    read += chunk.length;
    if (read > maxBytes) {
      yield { kind: 'too_much', number };
      return;
    }
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(LINE_FEED, from);
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
      from = end < 0 ? chunk.length : end + 1;
      if (!skipping && held + piece.length > maxLineBytes) {
        yield { kind: 'long', number };
        skipping = true;
        parts = [];
        held = 0;
      }
      if (!skipping) {
        parts.push(piece);
        held += piece.length;
      }
      if (end < 0) continue;
      if (!skipping) yield { kind: 'line', number, text: take() };
      skipping = false;
      number++;
    }
  }
  if (held > 0) yield { kind: 'line', number, text: take() };
}
