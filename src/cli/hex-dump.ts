const ROW_BYTES = 16;
const MAX_ROWS = 256;

/** Bytes as `00000010  48 65 6c ...  Hello`, the first 4 KB; a last line says how many are left out. */
export function hexDump(bytes: Buffer): string[] {
  if (bytes.length === 0) return ['0 bytes'];
  const rows: string[] = [];
  for (let at = 0; at < bytes.length && rows.length < MAX_ROWS; at += ROW_BYTES) {
    const row = [...bytes.subarray(at, at + ROW_BYTES)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(3 * ROW_BYTES - 1);
    rows.push(`${at.toString(16).padStart(8, '0')}  ${hex}  ${row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')}`);
  }
  const left = bytes.length - rows.length * ROW_BYTES;
  return left > 0 ? [...rows, `and ${left} more bytes`] : rows;
}
