import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { start } from '../cli/process.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';

// Neither tokens nor passwords may stand in logs, in answers or in the arguments of a process, whatever goes wrong.

let folder: { readonly path: string; remove(): void };
let service: RunningService | null = null;
let refusing: Server;
let refusingUrl: string;
beforeEach(async () => {
  folder = temporaryDirectory();
  // Stands for a registry and a ClickHouse that take nobody's password.
  refusing = createServer((_, response) => { response.writeHead(401).end('no'); });
  await new Promise<void>((resolve) => { refusing.listen(0, '127.0.0.1', resolve); });
  refusingUrl = `127.0.0.1:${(refusing.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await service?.stop();
  service = null;
  refusing.closeAllConnections();
  refusing.close();
  folder.remove();
});

const TOKEN = 'token-Zk3vQ9';
const PASSWORD = 'password-hT7pL2';

test('of the gateway', { timeout: 90_000 }, async () => {
  const tokens = join(folder.path, 'tokens');
  const tokenFile = join(folder.path, 'token');
  writeFileSync(tokens, `admin ${createHash('sha256').update(TOKEN).digest('hex')} ops\n`);
  writeFileSync(tokenFile, TOKEN);
  service = await startService({ RACELINE_DATA_DIR: folder.path, RACELINE_TOKENS_FILE: tokens, RACELINE_LOG_LEVEL: 'trace', CLICKHOUSE_URL: `http://default:${PASSWORD}@${refusingUrl}`, CLICKHOUSE_PASSWORD: PASSWORD, RACELINE_ROLES: 'pipeline,gateway' });
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const answers: string[] = [];
  for (const [path, headers] of [['/races', bearer], ['/v1/sql?query=SELECT+1', bearer], ['/v1/doctor', bearer], ['/clickhouse/?query=SELECT+1', bearer], ['/races', { authorization: `Bearer ${TOKEN}x` }], ['/%zz', bearer], ['/docs/json', bearer], ['/metrics', bearer]] as const) {
    answers.push(await (await fetch(`${service.url}${path}`, { headers })).text());
  }
  answers.push(await (await fetch(`${service.url}/v1/dead-letters/replay`, { method: 'POST', headers: { ...bearer, 'content-type': 'application/json' }, body: '{"all":true}' })).text());
  const watch = start(['watch', '--once', '--server', service.url], { env: { RACELINE_TOKEN_FILE: tokenFile } });
  const run = start(['run', '--server', service.url, '--id', 'secret-run', '--', 'sh', '-c', 'cat /proc/$PPID/cmdline; cat /proc/$PPID/environ'], { env: { RACELINE_TOKEN_FILE: tokenFile } });
  expect([await watch.ended, await run.ended, run.output.stderr]).toEqual([0, 0, '']);
  expect(run.output.stdout).toContain('RACELINE_TOKEN_FILE');
  const race = await (await fetch(`${service.url}/v1/races/secret-run`, { headers: bearer })).text();
  expect(race).toContain('"state":"passed"');
  const said = [service.logs(), ...answers, race, watch.output.stdout, watch.output.stderr, run.output.stdout, readFileSync(`/proc/${service.pid}/cmdline`, 'utf8')].join('\n');
  expect(said).toContain('Cannot query the history');
  expect(said).not.toContain(TOKEN);
  expect(said).not.toContain(PASSWORD);
});

test('of engines that refuse them', async () => {
  const settings = { RACELINE_DATA_DIR: folder.path, RACELINE_LOG_LEVEL: 'trace', RACELINE_PORT: '1', CLICKHOUSE_URL: `http://default:${PASSWORD}@${refusingUrl}`, CLICKHOUSE_PASSWORD: PASSWORD };
  const registry = { ...settings, SCHEMA_REGISTRY_URL: `http://user:${PASSWORD}@${refusingUrl}`, SCHEMA_REGISTRY_PASSWORD: PASSWORD, SCHEMA_REGISTRY_USERNAME: 'user' };
  const doctor = start(['doctor'], { env: registry });
  // A data directory of its own: the doctor has the other one open.
  const up = start(['up'], { env: { ...registry, RACELINE_DATA_DIR: join(folder.path, 'up') } });
  // A Kafka that hangs up: nothing but its SASL password is at stake.
  const kafka = start(['topics', 'apply'], { env: { ...settings, KAFKA_BROKERS: refusingUrl, KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'user', KAFKA_SASL_PASSWORD: PASSWORD } });
  // A start waits for a registry that is away, and says so.
  await waitUntil('up says what it waits for', () => up.output.stderr.includes('registry_unavailable'), 60_000);
  up.child.kill('SIGKILL');
  await up.ended;
  // It would go on for half a minute: after the third refusal it has said all that it ever says.
  await waitUntil('topics apply says what it tries', () => (kafka.output.stderr.match(/kafkajs/g)?.length ?? 0) >= 3, 60_000);
  kafka.child.kill('SIGKILL');
  await kafka.ended;
  expect(await doctor.ended).toBe(1);
  expect(doctor.output.stdout).toMatch(/PROBLEM schemas[^]*PROBLEM history/);
  for (const { output } of [doctor, up, kafka]) expect(output.stdout + output.stderr).not.toContain(PASSWORD);
}, 180_000);

test('a token that the command line cannot use is not repeated', async () => {
  const tokenFile = join(folder.path, 'token');
  writeFileSync(tokenFile, `${TOKEN} and more`);
  const run = start(['sql', 'SELECT 1'], { env: { RACELINE_TOKEN_FILE: tokenFile } });
  expect(await run.ended).toBe(1);
  expect(run.output.stderr).toMatch(/^raceline: config_invalid: Cannot use the token of RACELINE_TOKEN_FILE/);
  expect(run.output.stderr).not.toContain(TOKEN);
});

test('raceline token makes a token and the line that grants it', async () => {
  const made = start(['token', 'the ci', '--scope', 'write']);
  expect(await made.ended).toBe(0);
  const token = made.output.stdout.trim();
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(made.output.stderr).toBe(`write ${createHash('sha256').update(token).digest('hex')} the ci\n`);
});
