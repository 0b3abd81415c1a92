import { afterEach, describe, expect, test } from 'vitest';
import { start, until } from './process.ts';
import { freePort } from '../../support/free-port.ts';
import { openUpdateServer } from './update-server.ts';
import type { UpdateServer } from './update-server.ts';

let server: UpdateServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

const states = (): unknown[] => server!.updates.map((update) => update.state);

describe('run, with the server there', () => {
  test('tells submission, start and outcome in order, with what was known', async () => {
    server = await openUpdateServer();
    const beforeMs = Date.now();
    const run = start(['run', '--server', server.url, '--id', 'r-1', '--source', 'make', '--title', 'nightly', '--eta', '1.5m', '--metadata', 'a=b=c', '--metadata', 'host=h', '--', 'sh', '-c', 'exit 3']);
    expect(await run.ended).toBe(3);
    expect(run.output.stderr).toBe('');
    const [queued, running, failed, ...rest] = server.updates;
    expect(rest).toEqual([]);
    expect(queued).toMatchObject({
      race_id: 'r-1', source: 'make', title: 'nightly', state: 'queued', eta_sec: 90, eta_kind: 'total', update_interval_hint_sec: 5,
      metadata: { command: 'sh -c exit 3', working_dir: process.cwd(), host: 'h', a: 'b=c' },
    });
    expect(queued).toMatchObject({ queued_at: queued!.at });
    expect(running).toMatchObject({ race_id: 'r-1', source: 'make', state: 'running', started_at: running!.at });
    expect(failed).toMatchObject({ race_id: 'r-1', source: 'make', state: 'failed', completed_at: failed!.at, metadata: { exit_code: '3' } });
    const instants = [beforeMs, queued!.at, running!.at, failed!.at, Date.now()];
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
  });

  test('names the race by a UUID and its title by the command line', async () => {
    server = await openUpdateServer();
    expect(await start(['run', '--server', server.url, 'echo', '--not-our-option', 'x']).ended).toBe(0);
    expect(server.updates[0]).toMatchObject({ race_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/) as unknown, source: 'cmd', title: 'echo --not-our-option x' });
    expect(states()).toEqual(['queued', 'running', 'passed']);
  });

  test('finds the server by host and port', async () => {
    server = await openUpdateServer();
    expect(await start(['run', 'true'], { env: { RACELINE_HOST: '127.0.0.1', RACELINE_PORT: String(server.port) } }).ended).toBe(0);
    expect(states().at(-1)).toBe('passed');
  });

  test('beats while the command runs', async () => {
    server = await openUpdateServer();
    const run = start(['run', '--server', server.url, 'cat']);
    await until(() => states().filter((state) => state === 'running').length >= 2, states);
    run.child.stdin?.end();
    expect(await run.ended).toBe(0);
    expect(server.updates.at(-1)).toMatchObject({ state: 'passed' });
    expect(server.updates[2]!.at - server.updates[1]!.at).toBeGreaterThanOrEqual(4_900);
  });

  test('an interrupt cancels the race', async () => {
    server = await openUpdateServer();
    const run = start(['run', '--server', server.url, 'cat']);
    await until(() => states().includes('running'), states);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe('SIGINT');
    expect(server.updates.at(-1)).toMatchObject({ state: 'canceled', metadata: { exit_code: '130', exit_signal: 'SIGINT' } });
  });

  test('a command that somebody else kills has failed', async () => {
    server = await openUpdateServer();
    expect(await start(['run', '--server', server.url, 'sh', '-c', 'kill -KILL $$']).ended).toBe('SIGKILL');
    expect(server.updates.at(-1)).toMatchObject({ state: 'failed', metadata: { exit_code: '137', exit_signal: 'SIGKILL' } });
  });

  test('a command that is not there has failed', async () => {
    server = await openUpdateServer();
    const run = start(['run', '--server', server.url, '/no/such/binary']);
    expect(await run.ended).toBe(127);
    expect(run.output.stderr).toMatch(/^raceline: cannot run \/no\/such\/binary: [^\n]*ENOENT\n$/);
    expect(server.updates.at(-1)).toMatchObject({ state: 'failed', metadata: { exit_code: '127', error: expect.stringContaining('ENOENT') as unknown } });
    expect(await start(['run', '--server', server.url, '/etc/passwd']).ended).toBe(126);
  });

  test('sends again what an answer was lost for, in order', async () => {
    server = await openUpdateServer((request) => (['lost', 503, 'cut'] as const)[request] ?? null);
    const run = start(['run', '--quiet', '--server', server.url, 'cat']);
    await until(() => states().filter((state) => state === 'running').length >= 1, states);
    run.child.stdin?.end();
    expect(await run.ended).toBe(0);
    expect([...new Set(states())]).toEqual(['queued', 'running', 'passed']);
  });

  test('says once why the server refuses, and lets the command be', async () => {
    server = await openUpdateServer(() => 400);
    const run = start(['run', '--server', server.url, 'echo', 'fine']);
    expect(await run.ended).toBe(0);
    expect(run.output.stdout).toBe('fine\n');
    expect(run.output.stderr).toMatch(/^raceline: [^\n]* refused an update: 400 [^\n]*Not now[^\n]*\n$/);
  });
});

describe('run, with the server away', () => {
  test('runs the command all the same and warns once', async () => {
    const port = await freePort();
    const run = start(['run', '--server', `http://127.0.0.1:${port}`, 'sh', '-c', 'echo out; echo err >&2; exit 5']);
    expect(await run.ended).toBe(5);
    expect(run.output.stdout).toBe('out\n');
    const lines = run.output.stderr.trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines.filter((line) => /^raceline: .* does not answer .*ECONNREFUSED.*: the command runs on, updates are kept$/.test(line))).toHaveLength(1);
  });

  test('is silent with --quiet', async () => {
    const port = await freePort();
    const run = start(['run', '--quiet', '--server', `http://127.0.0.1:${port}`, 'true']);
    expect(await run.ended).toBe(0);
    expect(run.output).toEqual({ stdout: '', stderr: '' });
  });

  test('delivers everything once the server comes', async () => {
    const port = await freePort();
    const run = start(['run', '--server', `http://127.0.0.1:${port}`, '--id', 'patient', 'cat']);
    await until(() => run.output.stderr.includes('does not answer'), () => run.output);
    server = await openUpdateServer(undefined, port);
    await until(() => states().includes('running'), states);
    run.child.stdin?.end();
    expect(await run.ended).toBe(0);
    expect(states().filter((state, index, all) => state !== all[index - 1])).toEqual(['queued', 'running', 'passed']);
  });
});
