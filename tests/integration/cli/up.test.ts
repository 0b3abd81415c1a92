import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { start, until } from './process.ts';
import type { Started } from './process.ts';

let folder = '';
let service: Started | null = null;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'raceline-up-')); });
afterEach(async () => {
  service?.child.kill('SIGKILL');
  await service?.ended;
  service = null;
  rmSync(folder, { recursive: true, force: true });
});

async function up(roles: string, script?: string): Promise<string> {
  const started = start(['up'], {
    env: { RACELINE_ROLES: roles, RACELINE_PORT: '0', RACELINE_DATA_DIR: join(folder, 'data'), RACELINE_LOG_LEVEL: 'silent', CLICKHOUSE_URL: '', KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '' },
    ...(script === undefined ? {} : { script }),
  });
  service = started;
  await until(() => /^data /m.test(started.output.stderr), () => started.output);
  return /^Raceline (http:\S+)$/m.exec(started.output.stderr)?.[1] ?? 'no address';
}

test('up says where it answers and on what it stands, and ends well when it is told to', async () => {
  const address = await up('gateway');
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  const grpc = /^grpc     127\.0\.0\.1:(\d+)$/m.exec(service!.output.stderr)?.[1];
  expect(service!.output.stderr).toBe(`Raceline ${address}\ngrpc     127.0.0.1:${grpc}\nroles    gateway\nlog      embedded\nhistory  none here\ndata     ${join(folder, 'data')}\n`);
  // Twice at once is one wish: a terminal's group and a launcher both pass it on.
  service!.child.kill('SIGTERM');
  service!.child.kill('SIGINT');
  expect(await service!.ended).toBe(0);
  expect(service!.output.stderr).toMatch(/\nSIG(TERM|INT): stopping, once more to stop at once\n$/);
  expect(service!.output.stdout).toBe('');
});

test('what run tells the service, watch shows', async () => {
  const address = await up('pipeline,gateway');
  const run = start(['run', '--server', address, '--id', 'e2e', '--title', 'end to end', '--', 'sh', '-c', 'exit 3']);
  expect(await run.ended).toBe(3);
  expect(run.output.stderr).toBe('');
  const watch = start(['watch', '--json', '--race', 'e2e', '--server', address]);
  await until(() => watch.output.stdout.includes('"failed"'), () => watch.output);
  watch.child.kill('SIGTERM');
  expect(await watch.ended).toBe(0);
  const last = JSON.parse(watch.output.stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
  expect(last).toMatchObject({ race_id: 'e2e', source: 'cmd', title: 'end to end', state: 'failed', attempt: 1, metadata: { exit_code: '3' }, eta: { reason: 'finished' } });
});

test('runs below node_modules, where Node takes no TypeScript by itself', async () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  for (const name of ['src', 'workers', 'topology', 'schemas', 'package.json']) cpSync(join(root, name), join(modules, 'raceline', name), { recursive: true });
  const address = await up('pipeline,gateway', join(modules, 'raceline', 'src', 'cli', 'raceline.mjs'));
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  service!.child.kill('SIGTERM');
  expect(await service!.ended).toBe(0);
});
