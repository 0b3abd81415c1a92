import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'vitest';
import type { MeasuredFault, Reported } from './table.ts';

/** Without RACELINE_FAULTS, as in `npm test`: one fault of each kind, a short outage. RACELINE_FAULTS=short: all of them, as short. */
export const isBrief = process.env['RACELINE_FAULTS'] === undefined;
/** RACELINE_FAULTS=long: longer outages and more of them. */
export const isLong = process.env['RACELINE_FAULTS'] === 'long';

/** Into the file that run.ts prints at the end; a run of the tests alone has none. */
export function report(row: Reported): void {
  const file = process.env['RACELINE_FAULTS_REPORT'];
  if (file === undefined || file === '') return;
  const measured: MeasuredFault = { ...row, file: basename(expect.getState().testPath ?? '') };
  appendFileSync(file, `${JSON.stringify(measured)}\n`);
}
