import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.ts';

const folder = mkdtempSync(join(tmpdir(), 'raceline-journey-'));
afterAll(() => rmSync(folder, { recursive: true }));

const T0 = Date.UTC(2025, 2, 7, 12);
const instant = (sec: number) => new Date(T0 + sec * 1000).toISOString();
const stops = [3, 5, 8, 9, 12].map((seq, i) => ({ seq, lat: 30 + 0.009 * i, planned: 120 * i }));
const routeRows = ['bus,1', 'bus2'].flatMap((id) => stops.map(({ seq, lat, planned }) => `"${id}",${seq},stop ${seq},${lat},-97,${instant(planned)}`));
const trackRows = [...Array(14).keys()].map((i) => `"bus,1",${instant(i * 40)},${30 + 0.003 * i},-97,8`);

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
};

async function journey(route: string, track: string, out: string, ...options: string[]): Promise<{ outcome: unknown; said: string }> {
  let said = '';
  const err = { write: (text: string) => { said += text; return true; } };
  const outcome = await run(['journey', '--route', route, '--track', track, '--out', out, ...options], {}, { out: err, err });
  return { outcome, said };
}

const routeFile = () => write('route.csv', `track_id,seq,stop_id,lat,lon,sched_time\n${routeRows.join('\n')}\n`);

describe('raceline journey', () => {
  it('writes the ETAs of every stop by its seq, and says what it could not use', async () => {
    const bad = [`"bus,1",${instant(100)},91,-97,8`, `"bus,1",${instant(100)},0,0,8`, `"bus,1",noon,30,-97,8`, `nobody,${instant(100)},30,-97,8`, trackRows[3]!];
    const track = write('track.csv.gz', `track_id,time,lat,lon,speed\n${[...trackRows, ...bad].join('\n')}\n`);
    const out = join(folder, 'etas.csv.gz');
    const { outcome, said } = await journey(routeFile(), track, out);
    expect(outcome).toBe(0);
    expect(said).toMatch(/^1 journeys on 2 routes, 14 positions followed, 1 late or doubled, 0 out of reach, 3 rows refused, 1 positions without a route; 5 passages, \d+ ETAs/);
    const [header, ...rows] = gunzipSync(readFileSync(out)).toString().trim().split('\n');
    expect(header).toBe('race_id,issued_at,milestone,eta_at,p10_at,p90_at');
    const read = rows.map((row) => /^"bus,1",([^,]+),(\d+),([^,]+),([^,]+),([^,]+)$/.exec(row)!.slice(1));
    expect([...new Set(read.map(([, seq]) => Number(seq)))].sort((a, b) => a - b)).toEqual([3, 5, 8, 9, 12]);
    for (const [, , eta, low, high] of read) {
      expect(low! <= eta!).toBe(true);
      expect(eta! <= high!).toBe(true);
    }
    // In the order of issue, and the last word on a stop is when it was passed.
    expect(read.map(([issued]) => issued)).toEqual(read.map(([issued]) => issued).toSorted());
    const third = read.findLast(([, seq]) => seq === '8')!;
    expect(Math.abs(Date.parse(third[2]!) - (T0 + 240_000))).toBeLessThan(10_000);
    const first = read.find(([issued, seq]) => issued === instant(120) && seq === '12')!;
    expect(Math.abs(Date.parse(first[2]!) - (T0 + 480_000))).toBeLessThan(40_000);
  });

  it('through the service says of every stop about the same, each passage once', { timeout: 60_000 }, async () => {
    const track = write('service.csv', `track_id,time,lat,lon,speed\n${trackRows.join('\n')}\n`);
    const read = (name: string) => readFileSync(join(folder, name)).toString().trim().split('\n').slice(1).map((row) => row.split(',').slice(2));
    await journey(routeFile(), track, join(folder, 'alone-etas.csv'));
    const { outcome, said } = await journey(routeFile(), track, join(folder, 'service-etas.csv'), '--service');
    expect(outcome).toBe(0);
    expect(said).toMatch(/^1 journeys on 2 routes, 14 positions followed, 0 late or doubled, 0 out of reach, 0 rows refused, 0 positions without a route; 5 passages, \d+ ETAs/);
    const [alone, through] = [read('alone-etas.csv'), read('service-etas.csv')];
    for (const seq of ['3', '5', '8', '9', '12']) {
      const [one, other] = [alone, through].map((rows) => rows.findLast(([, found]) => found === seq)!);
      expect(other!.slice(1, 3)).toEqual(one!.slice(1, 3));
    }
    expect(through.length).toBeGreaterThan(0.5 * alone.length);
  });

  it('uses nothing that is later than what it says', async () => {
    const whole = write('whole.csv', `track_id,time,lat,lon,speed\n${trackRows.join('\n')}\n`);
    const half = write('half.csv', `track_id,time,lat,lon,speed\n${trackRows.slice(0, 7).join('\n')}\n`);
    await journey(routeFile(), whole, join(folder, 'whole-etas.csv'));
    await journey(routeFile(), half, join(folder, 'half-etas.csv'));
    const [all, early] = ['whole-etas.csv', 'half-etas.csv'].map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(early!.split('\n').length).toBeGreaterThan(10);
    expect(all!.startsWith(early!)).toBe(true);
  });

  it('refuses what is no recording, with the column that is missing, and a file that is not there', async () => {
    const none = write('none.csv', 'a,b\n1,2\n');
    expect(await journey(none, none, join(folder, 'x.csv'))).toEqual({ outcome: 1, said: expect.stringContaining('it has no column track_id, seq') });
    expect(await journey(join(folder, 'missing.csv'), none, join(folder, 'x.csv'))).toEqual({ outcome: 1, said: expect.stringContaining('not_found') });
  });
});
