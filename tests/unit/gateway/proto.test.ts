import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../..', import.meta.url).pathname;
const generated = join(root, 'src/gateway/grpc/generated');

test('the generated code is what buf makes of schemas/proto (write it anew with npm run proto)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'raceline-proto-'));
  try {
    const template = JSON.stringify({ version: 'v2', plugins: [{ local: 'protoc-gen-es', out: directory, opt: ['target=js+dts'] }] });
    const { status, stderr } = spawnSync('buf', ['generate', '--template', template], { cwd: join(root, 'schemas/proto'), encoding: 'utf8', env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` } });
    expect([status, stderr]).toEqual([0, '']);
    expect(readdirSync(directory).sort()).toEqual(readdirSync(generated).sort());
    for (const file of readdirSync(directory)) expect(readFileSync(join(directory, file), 'utf8'), file).toBe(readFileSync(join(generated, file), 'utf8'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
