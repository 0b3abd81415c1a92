import type { Output } from './context.ts';

export type StatusLine = {
  /** Draws the text, made for the width it is given, on the last row. */
  show(render: (columns: number) => string): void;
  /** Gives the row back. Idempotent. */
  close(): void;
};

/** Fewer rows are not worth one for us. Chosen. */
const FEWEST_ROWS = 5;

/**
 * Keeps the terminal's last row for us while a command writes to the rest: the scroll region ends one row above
 * (as apt does it), so what the command prints passes through untouched. null where the output is no capable terminal.
 */
export function openStatusLine(output: Output, term: string | undefined): StatusLine | null {
  if (output.isTTY !== true || term === 'dumb' || !output.columns || (output.rows ?? 0) < FEWEST_ROWS) return null;
  let reservedRows = 0;
  let isOpen = true;
  const reserve = (): void => {
    const rows = output.rows ?? 0;
    // Setting the region homes the cursor, so it is saved around; the line feed makes room where the cursor is on the last row.
    output.write(`\n\x1b7\x1b[1;${rows - 1}r\x1b8\x1b[1A`);
    reservedRows = rows;
  };
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    process.off('exit', close);
    output.off?.('resize', onResize);
    output.write(`\x1b7\x1b[1;${output.rows ?? reservedRows}r\x1b[${reservedRows};1H\x1b[2K\x1b8`);
  };
  const onResize = (): void => {
    if ((output.rows ?? 0) >= FEWEST_ROWS) reserve();
  };
  reserve();
  output.on?.('resize', onResize);
  // A terminal left with a scroll region is broken for the next program.
  process.on('exit', close);
  return {
    show(render) {
      if (isOpen) output.write(`\x1b7\x1b[${reservedRows};1H\x1b[2K${render((output.columns ?? 80) - 1)}\x1b8`);
    },
    close,
  };
}
