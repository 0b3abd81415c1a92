import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatStorage, jvmFlags, kafkaClassArchive, kafkaClassPath } from './artifacts.ts';
import { freePort } from '../free-port.ts';
import { startJvm, type Jvm } from './jvm.ts';
import { nodeProperties, writeProperties } from './kafka-properties.ts';

/** Real brokers of this machine; node ids count from 1. Data is deleted at `stop`. */
export type KafkaCluster = {
  readonly brokers: readonly string[];
  /** As a crash: SIGKILL. */
  kill(nodeId: number): Promise<void>;
  /** Leadership is handed over first. */
  shutDown(nodeId: number): Promise<void>;
  restart(nodeId: number): Promise<void>;
  pid(nodeId: number): number;
  /** Resolves when the node's process has ended by itself or otherwise. */
  exited(nodeId: number): Promise<void>;
  stop(): Promise<void>;
};

export type StartKafkaOptions = {
  readonly brokers: 1 | 3;
  /** Broker settings beside or instead of kafka-properties.ts. */
  readonly settings?: (node: { readonly port: number; readonly controllerPort: number }) => Readonly<Record<string, string | number | boolean>>;
  /** Users as `SCRAM-SHA-512=[name=...,password=...]`. */
  readonly scramUsers?: readonly string[];
};

type Node = { readonly id: number; readonly port: number; readonly controllerPort: number; readonly dir: string; readonly file: string; jvm: Jvm | null };

const START_DEADLINE_MS = 60_000;

/** Starts Apache Kafka under KRaft: about 4 s for one broker, 7 s for three, on two cores. */
export async function startKafka({ brokers, settings = () => ({}), scramUsers = [] }: StartKafkaOptions): Promise<KafkaCluster> {
  const classPath = await kafkaClassPath();
  const archive = [`-XX:SharedArchiveFile=${await kafkaClassArchive(classPath)}`];
  const dir = mkdtempSync(join(tmpdir(), 'raceline-kafka-'));
  const nodes: Node[] = [];
  for (let id = 1; id <= brokers; id += 1) {
    const nodeDir = join(dir, `node-${id}`);
    mkdirSync(nodeDir);
    nodes.push({ id, port: await freePort(), controllerPort: await freePort(), dir: nodeDir, file: join(nodeDir, 'server.properties'), jvm: null });
  }
  const voters = nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(',');

  async function launch(node: Node): Promise<void> {
    node.jvm = await startJvm({ args: [...jvmFlags('256m'), ...archive, '-cp', classPath, 'kafka.Kafka', node.file], logFile: join(node.dir, 'kafka.log'), port: node.port, deadlineMs: START_DEADLINE_MS });
  }

  async function stop(): Promise<void> {
    await Promise.all(nodes.map((node) => node.jvm?.kill('SIGKILL')));
    // A broker killed in the middle of a write may still leave a file behind.
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  function find(nodeId: number): Node {
    const node = nodes.find((one) => one.id === nodeId);
    if (node === undefined) throw new Error(`There is no node ${nodeId}`);
    return node;
  }

  try {
    await Promise.all(nodes.map(async (node) => {
      writeProperties(node.file, { ...nodeProperties({ ...node, voters, nodes: brokers }), ...settings(node) });
      await formatStorage(classPath, node.file, { archive, scramUsers });
    }));
    await Promise.all(nodes.map(launch));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: nodes.map((node) => `127.0.0.1:${node.port}`),
    kill: async (nodeId) => { await find(nodeId).jvm?.kill('SIGKILL'); },
    shutDown: async (nodeId) => { await find(nodeId).jvm?.kill('SIGTERM'); },
    restart: (nodeId) => launch(find(nodeId)),
    pid: (nodeId) => find(nodeId).jvm?.pid ?? 0,
    exited: async (nodeId) => { await find(nodeId).jvm?.exited; },
    stop,
  };
}
