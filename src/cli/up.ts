import { Command } from 'commander';
import { readConfig } from '../config.ts';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { CliContext } from './context.ts';
import type { Service } from '../main.ts';
import { isLoopback } from '../runtime/loopback.ts';
import { loadServices } from './services.ts';

/** A signal may come twice at once, from the terminal's group and from a launcher in front: that is one wish. */
const SAME_SIGNAL_MS = 1_000;

export function upCommand(context: CliContext): Command {
  return new Command('up')
    .description('Start the service: all roles, or those of RACELINE_ROLES')
    .addHelpText('after', '\nEvery setting is an environment variable: see the configuration table of README.md.')
    .action(() => up(context));
}

async function up(context: CliContext): Promise<void> {
  const config = readConfig(context.env);
  const stop = waitForStop(context);
  const { startService } = await loadServices();
  const stopping = new AbortController();
  void stop.then((signal) => {
    context.err.write(`${signal}: stopping, once more to stop at once\n`);
    stopping.abort();
  });
  const service = await startService(context.env, stopping.signal).catch((error: unknown) => {
    // Stopped while it waited for an engine: it has closed what it had opened.
    if (stopping.signal.aborted) return null;
    throw error;
  });
  if (service === null) return;
  if (!stopping.signal.aborted) context.err.write(bannerOf(config, service));
  await stop;
  try {
    await service.close();
  } catch (error) {
    context.err.write(`raceline: could not stop cleanly: ${messageOf(error)}\n`);
    context.finish(1);
  }
}

/** Where the service answers (`address` empty = nowhere) and what it stands on. No secrets. */
function bannerOf(config: Config, { address, grpcPort }: Pick<Service, 'address' | 'grpcPort'>): string {
  const lines = [
    ['Raceline', address],
    ...(grpcPort === null ? [] : [['grpc', `${config.host}:${grpcPort}`] as const]),
    ['roles', config.roles.join(', ')],
    ['log', config.kafka === null ? 'embedded' : `Kafka at ${config.kafka.brokers.join(', ')}`],
    ['history', historyOf(config)],
    ['data', config.dataDir],
  ] as const;
  const banner = `${lines.map(([name, value]) => `${name.padEnd(9)}${value}`).join('\n')}\n`;
  if (address === '' || config.tokensFile !== null || isLoopback(config.host)) return banner;
  return `${banner}WARNING: whoever can reach ${address} may read and change everything: set RACELINE_TOKENS_FILE, or RACELINE_HOST=127.0.0.1\n`;
}

function historyOf({ clickhouse, roles }: Config): string {
  if (clickhouse.url !== null) return `ClickHouse at ${withoutSecrets(clickhouse.url)}`;
  return roles.includes('historian') ? 'embedded chDB' : 'none here';
}

function withoutSecrets(address: string): string {
  const url = new URL(address);
  return `${url.protocol}//${url.host}`;
}

function waitForStop(context: CliContext): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAtMs: number | null = null;
    const onSignal = (signal: NodeJS.Signals): void => {
      const nowMs = performance.now();
      if (firstAtMs === null) {
        firstAtMs = nowMs;
        resolve(signal);
      } else if (nowMs - firstAtMs >= SAME_SIGNAL_MS) {
        context.err.write(`${signal}: stopped at once\n`);
        process.exit(130);
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  });
}
