// The long form of the campaign: `npm run faults`, one file after another; prints the table of all faults at the end.
// `--save` keeps it for README.md: of the files that were run, the others stay. Other arguments are vitest's: names, -t.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableOf, type MeasuredFault, type SavedCampaign } from '../../support/faults/table.ts';

const root = join(import.meta.dirname, '../../..');
const dir = mkdtempSync(join(tmpdir(), 'raceline-faults-'));
const file = join(dir, 'rows.jsonl');
writeFileSync(file, '');
const names = process.argv.slice(2).filter((name) => name !== '--save');
const { status } = spawnSync(process.execPath, [
  join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'tests/vitest.config.ts', '--no-file-parallelism', ...names.some((name) => !name.startsWith('-')) ? names : ['tests/integration/faults', ...names],
], { cwd: root, stdio: 'inherit', env: { ...process.env, RACELINE_FAULTS: 'long', RACELINE_FAULTS_REPORT: file } });
const rows = readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as MeasuredFault);
rmSync(dir, { recursive: true });
process.stdout.write(`\n${tableOf(rows)}\n`);
if (process.argv.includes('--save')) save(rows);
process.exitCode = status ?? 1;

function save(measured: readonly MeasuredFault[]): void {
  const path = join(import.meta.dirname, 'campaign.json');
  const { rows: before } = JSON.parse(readFileSync(path, 'utf8')) as SavedCampaign;
  const again = new Set(measured.map((row) => row.file));
  const all = [...before.filter((row) => !again.has(row.file)), ...measured].sort((a, b) => a.file.localeCompare(b.file));
  const saved: SavedCampaign = { measuredOn: new Date().toISOString().slice(0, 10), machine: `${cpus().length} cores`, rows: all };
  writeFileSync(path, `${JSON.stringify(saved, null, 2)}\n`);
}
