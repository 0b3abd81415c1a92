import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../src/cli/main.ts';

// 160 races and their revisions, with what trips scorers up: instants in microseconds, revisions on the very tenth of a life or up
// to 1 s after the start, races without one, without a point, without quantiles; and what the reference scorer said of them.
const fixtures = fileURLToPath(new URL('../../fixtures/score/', import.meta.url));
type Case = { options: string[]; expected: Figures };
type Figures = Record<string, Record<string, number | null>>;
const cases = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Case[];
/** The reference scorer itself, to be run by python3. */
const scorer = process.env['RACELINE_SCORER'] ?? '';

let folder = '';
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'raceline-score-')); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function raceline(...args: string[]): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const texts = { out: '', err: '' };
  const write = (name: 'out' | 'err') => ({ write: (text: string | Uint8Array) => { texts[name] += String(text); return true; } });
  const code = await run(args, {}, { out: write('out'), err: write('err') });
  return { code, stdout: texts.out, stderr: texts.err };
}

/** Every figure of the reference is there, and is equal but for the last digits of a logarithm; nothing else is said of the baselines. */
function expectEqual(figures: Figures, expected: Figures): void {
  expect(Object.keys(figures).sort()).toEqual(Object.keys(expected).sort());
  for (const [estimator, theirs] of Object.entries(expected)) {
    const ours = figures[estimator] ?? {};
    expect(Object.keys(ours).filter((name) => name !== 'confidence').sort(), estimator).toEqual(Object.keys(theirs).sort());
    for (const [name, value] of Object.entries(theirs)) {
      if (value === null) expect(ours[name], `${estimator} ${name}`).toBeNull();
      else expect(Math.abs((ours[name] ?? Number.NaN) - value), `${estimator} ${name}: ${ours[name]}, expected ${value}`).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(value)));
    }
  }
}

const files = ['--races', join(fixtures, 'races.csv'), '--predictions', join(fixtures, 'predictions.csv')];
const located = (options: readonly string[]): string[] => options.map((option) => (option === 'ids.txt' ? join(fixtures, option) : option));

describe('raceline score', () => {
  test.each(cases)('says what the reference scorer says with $options', async ({ options, expected }) => {
    const { code, stdout, stderr } = await raceline('score', ...files, '--json', ...located(options));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(expected['project']?.['n']).toBeGreaterThan(20);
    expectEqual(JSON.parse(stdout) as Figures, expected);
  });

  test('prints it as a table, with what confidence was worth', async () => {
    const { stdout } = await raceline('score', ...files);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^estimator +n +answered_at_s_pc /);
    const { n, submit_within20_pct: within20 } = cases[0]!.expected['project']!;
    expect(lines[1]).toMatch(new RegExp(`^project +${n}\\.0 .*${within20?.toFixed(1).replace('.', '\\.')}`));
    expect(stdout).toContain(`  p90_coverage_pct: ${cases[0]!.expected['project']!['p90_coverage_pct']?.toFixed(3)}\n`);
    expect(stdout).toMatch(/\n {2}0\.5 to 0\.6 +\d+ +5\d\.\d % +\d+\.\d %\n/);
  });

  test('refuses revisions out of order, a file that is not there, a column it does not have', async () => {
    const [head = '', ...rows] = readFileSync(join(fixtures, 'predictions.csv'), 'utf8').trim().split('\r\n');
    const bad = join(folder, 'bad.csv');
    writeFileSync(bad, [head, ...rows.reverse()].join('\n'));
    const refused = await raceline('score', '--races', join(fixtures, 'races.csv'), '--predictions', bad);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^raceline: invalid_request: .*revisions of r\d+ are not in the order of issue/) });
    expect(await raceline('score', '--races', join(fixtures, 'races.csv'), '--predictions', join(folder, 'none.csv'))).toMatchObject({ code: 1, stderr: expect.stringContaining('not_found') });
    expect(await raceline('score', ...files, '--point', 'basis')).toMatchObject({ code: 2 });
  });
});

/** A fleet with stages: seven kinds of builds of 40 to 160 s, some failing, some canceled. */
function writeRecording(): { races: string; stages: string; raceRows: string[]; stageRows: string[] } {
  const at = (sec: number): string => new Date(Date.UTC(2026, 0, 1) + sec * 1_000).toISOString();
  const lengths = Array.from({ length: 120 }, (_, i) => (40 + 20 * (i % 7)) * (0.8 + ((i * 7_919) % 40) / 100));
  const raceRows = lengths.map((sec, i) => `r${i},ci/x,"job, ${i % 7}",${at(i * 31)},${sec.toFixed(3)},${i % 17 === 0 ? 'failed' : i % 23 === 0 ? 'canceled' : 'passed'},"{""branch"":""b${i % 3}""}"`);
  const stageRows = lengths.flatMap((sec, i) => [`r${i},build,0,${at(i * 31)},${at(i * 31 + 0.4 * sec)},`, `r${i},test,1,${at(i * 31 + 0.4 * sec)},${at(i * 31 + 0.9 * sec)},`]);
  const [races, stages] = [join(folder, 'races.csv'), join(folder, 'stages.csv')];
  writeFileSync(races, ['id,source,title,started_at,duration_sec,state,metadata', ...raceRows].join('\n'));
  writeFileSync(stages, ['race_id,stage,seq,started_at,completed_at,state', ...stageRows].join('\n'));
  return { races, stages, raceRows, stageRows };
}

describe('raceline backtest', () => {
  test('--score says of the run what score says of the file, for any point; --json is all of stdout', async () => {
    const { races, stages } = writeRecording();
    const out = join(folder, 'predictions.csv.gz');
    for (const point of [[], ['--point', 'display_finish_at']]) {
      const run = await raceline('backtest', '--races', races, '--stages', stages, '--out', out, '--score', '--json', ...point);
      expect(run).toMatchObject({ code: 0, stderr: expect.stringMatching(/^120 races, 720 updates \(0 rejected\), \d+ revisions in /) });
      const score = await raceline('score', '--races', races, '--predictions', out, '--json', ...point);
      expect(JSON.parse(run.stdout)).toEqual(JSON.parse(score.stdout));
      expect(JSON.parse(run.stdout).project).toMatchObject({ n: expect.any(Number), answered_at_submit_pct: 100 });
      if (existsSync(scorer)) expectEqual(JSON.parse(run.stdout) as Figures, JSON.parse(execFileSync('python3', [scorer, '--races', races, '--predictions', out, '--json', ...point]).toString()) as Figures);
    }
    expect(gunzipSync(readFileSync(out)).toString()).toMatch(/^race_id,issued_at,p10_sec,p50_sec,p90_sec,eta_sec,basis,reason,confidence,display_finish_at\nr0,2026-01-01T00:00:00\.000Z,/);
  });

  test('--no-hold displays every forecast as it is, and says more', async () => {
    const { races, stages } = writeRecording();
    const [held, unheld] = [join(folder, 'held.csv'), join(folder, 'unheld.csv')];
    await raceline('backtest', '--races', races, '--stages', stages, '--out', held);
    await raceline('backtest', '--races', races, '--stages', stages, '--out', unheld, '--no-hold');
    const rows = (path: string): string[][] => readFileSync(path, 'utf8').trim().split('\n').slice(1).map((line) => line.split(','));
    const startMs = (id: string): number => Date.UTC(2026, 0, 1) + Number(id.slice(1)) * 31_000;
    const displayed = ([id = '', , , , , etaSec, , , , finishAt]: string[]): number => Math.abs(Date.parse(finishAt ?? '') - startMs(id) - Number(etaSec) * 1_000);
    expect(Math.max(...rows(unheld).filter((row) => row[5] !== '').map(displayed))).toBeLessThanOrEqual(1);
    expect(Math.max(...rows(held).filter((row) => row[5] !== '').map(displayed))).toBeGreaterThan(1_000);
    expect(rows(unheld).length).toBeGreaterThan(rows(held).length);
  });

  test('leaves every line before an instant as it was, whatever is cut after it', async () => {
    const { races, stages, raceRows, stageRows } = writeRecording();
    const out = join(folder, 'whole.csv');
    await raceline('backtest', '--races', races, '--stages', stages, '--out', out);
    const cutMs = Date.UTC(2026, 0, 1) + 2_321_000;
    const [cutRaces, cutStages, cutOut] = [join(folder, 'cut-races.csv'), join(folder, 'cut-stages.csv'), join(folder, 'cut.csv')];
    writeFileSync(cutRaces, ['id,source,title,started_at,duration_sec,state,metadata', ...raceRows.filter((_, i) => i * 31_000 < 2_321_000)].join('\n'));
    writeFileSync(cutStages, ['race_id,stage,seq,started_at,completed_at,state', ...stageRows.filter((row) => Date.parse(row.split(',')[3] ?? '') < cutMs)].join('\n'));
    await raceline('backtest', '--races', cutRaces, '--stages', cutStages, '--out', cutOut);
    const before = (path: string): string => readFileSync(path, 'utf8').split('\n').filter((line, i) => i === 0 || Date.parse(line.split(',')[1] ?? '') < cutMs).join('\n');
    expect(before(cutOut).split('\n').length).toBeGreaterThan(150);
    expect(before(cutOut)).toBe(before(out));
  });

  test('has something to do', async () => {
    expect(await raceline('backtest', '--races', join(fixtures, 'races.csv'))).toMatchObject({ code: 1, stderr: expect.stringContaining('give --out to write revisions, --score to score them') });
  });
});
