import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir, cached } from './cache.ts';
import { freePort } from '../free-port.ts';
import { javaProgram, javaVersion, startJvm } from './jvm.ts';
import { CLUSTER_ID, nodeProperties, writeProperties } from './kafka-properties.ts';
import { run } from './run.ts';

const KAFKA = 'kafka-4.4.0';
const REGISTRY = 'apicurio-2.6.13';
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';

export function areArtifactsCached(): boolean {
  return existsSync(join(cacheDir(), KAFKA)) && existsSync(join(cacheDir(), REGISTRY));
}

/** The broker's jars as a class path: 43 MB from Maven, once. In a fixed order, which the class archive depends on. */
export async function kafkaClassPath(): Promise<string> {
  const libs = await cached(KAFKA, (path) => maven('kafka-pom.xml', 'copy-dependencies', path, ['-DincludeScope=runtime']));
  return readdirSync(libs).filter((name) => name.endsWith('.jar')).sort().map((name) => join(libs, name)).join(':');
}

/** The registry's directory: 146 MB from Maven, once. */
export function registryDir(): Promise<string> {
  // Maven marks what it has unpacked, by default beside the pom: a cache that was deleted would then stay empty.
  return cached(REGISTRY, (path) => maven('registry-pom.xml', 'unpack-dependencies', path, [`-DmarkersDirectory=${path}.markers`]));
}

async function maven(pom: string, goal: string, outputDirectory: string, more: readonly string[]): Promise<void> {
  await run('mvn', ['-B', '-ntp', '-q', '-f', join(import.meta.dirname, pom), `${DEPENDENCY_PLUGIN}:${goal}`, `-DoutputDirectory=${outputDirectory}`, ...more]);
}

/**
 * Loaded classes of a broker, archived: halves its start. Good for one Java and one class path only, so both are in
 * its name. Takes 16 s, once.
 */
export async function kafkaClassArchive(classPath: string): Promise<string> {
  const key = createHash('sha256').update(`${javaVersion()}\n${classPath}`).digest('hex').slice(0, 16);
  return cached(`${KAFKA}-${key}.jsa`, async (path) => {
    const dir = mkdtempSync(join(tmpdir(), 'raceline-cds-'));
    try {
      const [port, controllerPort] = [await freePort(), await freePort()];
      const file = join(dir, 'server.properties');
      mkdirSync(join(dir, 'data'));
      writeProperties(file, nodeProperties({ id: 1, port, controllerPort, voters: `1@127.0.0.1:${controllerPort}`, nodes: 1, dir }));
      await formatStorage(classPath, file);
      const jvm = await startJvm({ args: [...jvmFlags('256m'), `-XX:ArchiveClassesAtExit=${path}`, '-cp', classPath, 'kafka.Kafka', file], logFile: join(dir, 'log'), port, deadlineMs: 60_000 });
      await jvm.kill('SIGTERM');
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

export async function formatStorage(classPath: string, propertiesFile: string, { archive = [], scramUsers = [] }: { readonly archive?: readonly string[]; readonly scramUsers?: readonly string[] } = {}): Promise<void> {
  const users = scramUsers.flatMap((user) => ['--add-scram', user]);
  await run(javaProgram(), [...jvmFlags('128m'), ...archive, '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', propertiesFile, '--ignore-formatted', ...users]);
}

/** A small heap, the quick compiler, no background threads that two cores cannot carry. */
export function jvmFlags(heap: string): string[] {
  return [
    '-Xms64m', `-Xmx${heap}`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData', '-Xshare:auto',
    '-Djava.awt.headless=true', '-Djava.net.preferIPv4Stack=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  ];
}
