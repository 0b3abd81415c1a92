export type CsvScanner = {
  /** Takes the next piece of text, cut anywhere. */
  push(chunk: string): void;
  /** Takes what is left as the last row. Throws where a quote is not closed. */
  end(): void;
};

/** Splits CSV text (RFC 4180; lines end in LF or CRLF) into rows of fields. The array is used again for the next row. */
export function createScanner(onRow: (fields: readonly string[]) => void): CsvScanner {
  let text = '';
  let isFirst = true;
  const fields: string[] = [];

  /** Reads the row at `from`; returns where the next one begins, -1 if its end is not there yet. */
  const readRow = (from: number, isLast: boolean): number => {
    fields.length = 0;
    let at = from;
    for (;;) {
      if (text.charCodeAt(at) === QUOTE) {
        let end = at + 1;
        let hasDoubled = false;
        for (;;) {
          end = text.indexOf('"', end);
          if (end < 0) {
            if (isLast) throw new Error('a quote is not closed');
            return -1;
          }
          if (text.charCodeAt(end + 1) !== QUOTE) break;
          hasDoubled = true;
          end += 2;
        }
        // A quote at the end of the piece may be the first of a doubled one.
        if (end + 1 >= text.length && !isLast) return -1;
        const field = text.slice(at + 1, end);
        fields.push(hasDoubled ? field.replaceAll('""', '"') : field);
        at = end + 1;
      } else {
        let end = at;
        while (end < text.length && text.charCodeAt(end) !== COMMA && text.charCodeAt(end) !== LINE_FEED) end++;
        if (end >= text.length && !isLast) return -1;
        const isReturned = text.charCodeAt(end - 1) === RETURN && end > at && text.charCodeAt(end) !== COMMA;
        fields.push(text.slice(at, isReturned ? end - 1 : end));
        at = end;
      }
      if (text.charCodeAt(at) === RETURN) at++;
      if (at >= text.length) return isLast ? at : -1;
      const separator = text.charCodeAt(at);
      if (separator !== COMMA && separator !== LINE_FEED) throw new Error('there is text after a closing quote');
      at++;
      if (separator === LINE_FEED) return at;
    }
  };
  const drain = (isLast: boolean): void => {
    let at = 0;
    while (at < text.length) {
      const next = readRow(at, isLast);
      if (next < 0) break;
      onRow(fields);
      at = next;
    }
    text = isLast ? '' : text.slice(at);
  };
  return {
    push(chunk) {
      text = text === '' ? chunk : text + chunk;
      if (isFirst && text.length > 0) {
        isFirst = false;
        if (text.charCodeAt(0) === BYTE_ORDER_MARK) text = text.slice(1);
      }
      drain(false);
    },
    end: () => drain(true),
  };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = 0xfeff;
