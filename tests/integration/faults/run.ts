// The long form of the campaign: `npm run faults`, one file after another; prints the table of all faults at the end.
// Arguments are vitest's: file names, -t.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableOf, type Reported } from '../../support/faults/report.ts';

const root = join(import.meta.dirname, '../../..');
const dir = mkdtempSync(join(tmpdir(), 'raceline-faults-'));
const file = join(dir, 'rows.jsonl');
writeFileSync(file, '');
const names = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [
  join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'tests/vitest.config.ts', '--no-file-parallelism', ...names.some((name) => !name.startsWith('-')) ? names : ['tests/integration/faults', ...names],
], { cwd: root, stdio: 'inherit', env: { ...process.env, RACELINE_FAULTS: 'long', RACELINE_FAULTS_REPORT: file } });
const rows = readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Reported);
rmSync(dir, { recursive: true });
process.stdout.write(`\n${tableOf(rows)}\n`);
process.exitCode = status ?? 1;
