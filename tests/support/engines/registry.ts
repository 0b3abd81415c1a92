import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jvmFlags, registryDir } from './artifacts.ts';
import { freePort } from '../free-port.ts';
import { startJvm } from './jvm.ts';

/** A real schema registry of this machine, in memory. */
export type RegistryServer = {
  /** Base of Confluent's REST API. */
  readonly url: string;
  stop(): Promise<void>;
};

const START_DEADLINE_MS = 90_000;

/** Starts Apicurio: about 7 s. */
export async function startRegistry(): Promise<RegistryServer> {
  const home = await registryDir();
  const jar = readdirSync(home).find((name) => name.endsWith('-runner.jar'));
  if (jar === undefined) throw new Error(`No runner jar in ${home}`);
  const dir = mkdtempSync(join(tmpdir(), 'raceline-registry-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const jvm = await startJvm({
    args: [...jvmFlags('256m'), '-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`, '-Dquarkus.log.level=WARN', '-jar', jar],
    cwd: home, logFile: join(dir, 'registry.log'), port, deadlineMs: START_DEADLINE_MS,
  });
  const stop = async (): Promise<void> => {
    await jvm.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  const endAtMs = performance.now() + START_DEADLINE_MS;
  while (!(await isReady(url))) {
    if (performance.now() > endAtMs) {
      await stop();
      throw new Error(`Not within ${START_DEADLINE_MS} ms: the registry at ${url}`);
    }
    await sleep(50);
  }
  return { url, stop };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/subjects`)).ok;
  } catch {
    return false;
  }
}
