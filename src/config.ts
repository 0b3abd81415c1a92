import type { RoleName } from '../topology/topology.ts';
import { readFileSync } from 'node:fs';
import { AppError, messageOf } from './errors.ts';

export const roleNames: readonly RoleName[] = ['pipeline', 'journeys', 'historian', 'gateway', 'rebuilder'];

/** Every setting with its environment variable, default, and what it does. Printed in README.md; a test keeps both equal. */
export const settings = {
  RACELINE_HOST: { default: '127.0.0.1', help: 'Address the gateway binds to' },
  RACELINE_PORT: { default: '7777', help: 'Port of the gateway, 0..65535; 0 = any free one' },
  RACELINE_GRPC_PORT: { default: '50051', help: 'Port of gRPC, gRPC-Web and Connect, 0..65535; 0 = any free one, as with RACELINE_PORT=0 where this is not set' },
  RACELINE_DATA_DIR: { default: '.raceline', help: 'Directory of the embedded log and ClickHouse' },
  RACELINE_ROLES: { default: 'all', help: 'Comma-separated: pipeline, journeys, historian, gateway, rebuilder, or all' },
  RACELINE_PILOT_SOURCE: { default: '', help: 'Source whose clusters are rebuilt by themselves in the first phase of the rollout; empty = the one with most races' },
  RACELINE_TOPIC_PREFIX: { default: 'raceline.', help: 'Put in front of every topic and consumer group on Kafka' },
  RACELINE_ETA_FORMAT: { default: 'avro', help: 'Format of eta-updates: avro or json' },
  RACELINE_LOG_LEVEL: { default: 'info', help: 'trace, debug, info, warn, error or silent' },
  RACELINE_HISTORY_TTL_DAYS: { default: '365', help: 'Days that ClickHouse keeps rows, from their ingestion, 1..36500; positions of vehicles at most 30' },
  RACELINE_FINISHED_TTL_HOURS: { default: '24', help: 'Hours that a finished race stays in race-states, 1..8760' },
  RACELINE_RATE_LIMIT: { default: '2000', help: 'Requests a second from one address that is not this machine, 0..1000000; 0 = no limit' },
  RACELINE_ALLOWED_ORIGINS: { default: '', help: 'Comma-separated origins whose web pages may use the gateway, besides its own; * = all' },
  RACELINE_ALLOWED_HOSTS: { default: '', help: 'Comma-separated host names that requests may be for, besides loopback ones and RACELINE_HOST; * = all. Checked when bound to a loopback address, or when set' },
  RACELINE_TOKENS_FILE: { default: '', help: 'File of tokens that the gateway asks for, one a line: scopes (read, write, admin), SHA-256, name; empty = open to everybody' },
  RACELINE_TOKEN_FILE: { default: '', help: 'File with the token that the command line sends to the gateway; empty = none' },
  RACELINE_READ_ONLY: { default: 'false', help: 'true = the gateway refuses every change (503 read_only); what comes over Kafka goes on' },
  RACELINE_MAX_CONNECTIONS: { default: '12000', help: 'WebSocket and event-stream clients at once, 1..1000000' },
  RACELINE_MAX_HTTP_CONNECTIONS: { default: '4096', help: 'Other HTTP connections at once, 1..1000000; beyond them 503' },
  RACELINE_MAP_TILES_URL: { default: '', help: 'Pictures that maps of the board are drawn on, https://host/{z}/{x}/{y}.png; empty = none: routes and vehicles alone' },
  RACELINE_MAP_ATTRIBUTION: { default: '', help: 'Whom the pictures are from, as it is to be shown; needed with RACELINE_MAP_TILES_URL' },
  RACELINE_MAX_SOURCE_LABELS: { default: '50', help: 'Sources that get a Prometheus label of their own, 0..1000; the rest is "other"' },
  KAFKA_BROKERS: { default: '', help: 'Comma-separated host:port; empty = the embedded log' },
  KAFKA_TLS: { default: 'false', help: 'true = TLS to the brokers' },
  KAFKA_TLS_CA_FILE: { default: '', help: 'PEM file of the certificate authority' },
  KAFKA_TLS_CERT_FILE: { default: '', help: 'PEM file of the client certificate' },
  KAFKA_TLS_KEY_FILE: { default: '', help: 'PEM file of the client key' },
  KAFKA_SASL_MECHANISM: { default: '', help: 'plain, scram-sha-256, scram-sha-512; empty = none' },
  KAFKA_SASL_USERNAME: { default: '', help: 'SASL user' },
  KAFKA_SASL_PASSWORD: { default: '', help: 'SASL password', secret: true },
  KAFKA_SASL_PASSWORD_FILE: { default: '', help: 'File with the SASL password, instead of the above' },
  KAFKA_PARTITIONS: { default: '24', help: 'Partitions of the topics keyed by race_id when they are created on Kafka, 1..1000' },
  KAFKA_REPLICATION: { default: '0', help: 'Replication factor of created topics, 0..10; 0 = 3 where there are three brokers, else 1' },
  KAFKA_SESSION_TIMEOUT_SEC: { default: '10', help: 'Seconds after which the partitions of a killed or stuck instance are given to others, 6..300' },
  SCHEMA_REGISTRY_URL: { default: '', help: 'Confluent-compatible registry; empty = the ids checked in under schemas/avro', secretUrl: true },
  SCHEMA_REGISTRY_USERNAME: { default: '', help: 'Registry user' },
  SCHEMA_REGISTRY_PASSWORD: { default: '', help: 'Registry password', secret: true },
  SCHEMA_REGISTRY_PASSWORD_FILE: { default: '', help: 'File with the registry password, instead of the above' },
  CLICKHOUSE_URL: { default: '', help: 'http(s)://host:8123; empty = embedded chDB', secretUrl: true },
  CLICKHOUSE_DATABASE: { default: 'raceline', help: 'Database of the tables' },
  CLICKHOUSE_USERNAME: { default: 'default', help: 'ClickHouse user' },
  CLICKHOUSE_PASSWORD: { default: '', help: 'ClickHouse password', secret: true },
  CLICKHOUSE_PASSWORD_FILE: { default: '', help: 'File with the ClickHouse password, instead of the above' },
} as const satisfies Record<string, Setting>;

/** `secret`: never printed. `secretUrl`: a user and password may stand in it, which are not printed. */
type Setting = { readonly default: string; readonly help: string; readonly secret?: true; readonly secretUrl?: true };

export type SettingName = keyof typeof settings;

export type Config = {
  readonly host: string;
  readonly port: number;
  /** Of gRPC; 0 = any free one. */
  readonly grpcPort: number;
  readonly dataDir: string;
  readonly roles: readonly RoleName[];
  /** null = the source with most races. */
  readonly pilotSource: string | null;
  readonly topicPrefix: string;
  readonly etaFormat: 'avro' | 'json';
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly historyTtlDays: number;
  readonly finishedTtlHours: number;
  readonly maxSourceLabels: number;
  readonly rateLimitPerSec: number;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** null = the gateway asks for no token. */
  readonly tokensFile: string | null;
  readonly maxConnections: number;
  readonly readOnly: boolean;
  readonly maxHttpConnections: number;
  /** What maps of the board are drawn on; null = nothing. */
  readonly mapTiles: { readonly url: string; readonly attribution: string } | null;
  /** null = the embedded log. */
  readonly kafka: KafkaConfig | null;
  /** null = the embedded registry. */
  readonly registry: { readonly url: string; readonly username: string; readonly password: string } | null;
  readonly clickhouse: ClickHouseConfig;
};

export type KafkaConfig = {
  readonly brokers: readonly string[];
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string } | null;
  readonly sasl: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string } | null;
  readonly partitions: number;
  readonly replication: number;
  readonly sessionTimeoutSec: number;
};

export type ClickHouseConfig = {
  /** null = embedded chDB under the data directory. */
  readonly url: string | null;
  readonly database: string;
  readonly username: string;
  readonly password: string;
};

type PasswordName = 'KAFKA_SASL_PASSWORD' | 'SCHEMA_REGISTRY_PASSWORD' | 'CLICKHOUSE_PASSWORD';

/** Reads all settings, and the files that passwords are in. Throws `config_invalid` with the value and the range. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const text = (name: SettingName): string => {
    const value = env[name];
    return value === undefined || value === '' ? settings[name].default : value;
  };
  const whole = (name: SettingName, min: number, max: number): number => {
    const value = Number(text(name));
    if (!Number.isInteger(value) || value < min || value > max) throw invalid(name, text(name), `a whole number in ${min}..${max}`);
    return value;
  };
  const oneOf = <T extends string>(name: SettingName, allowed: readonly T[]): T => {
    const value = text(name);
    const found = allowed.find((option) => option === value);
    if (found === undefined) throw invalid(name, value, `one of ${allowed.join(', ')}`);
    return found;
  };
  const password = (name: PasswordName): string => {
    const path = text(`${name}_FILE`);
    if (path === '') return text(name);
    if (text(name) !== '') throw new AppError('config_invalid', `Cannot start: ${name} and ${name}_FILE are both given`);
    try {
      // Editors and `echo` end a file with a line break.
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw new AppError('config_invalid', `Cannot start: ${name}_FILE must be a readable file, got "${path}": ${messageOf(error)}`, { cause: error });
    }
  };
  const database = text('CLICKHOUSE_DATABASE');
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(database)) throw invalid('CLICKHOUSE_DATABASE', database, 'a plain identifier of up to 63 characters');
  return {
    host: text('RACELINE_HOST'),
    port: whole('RACELINE_PORT', 0, 65_535),
    // Who takes any port for the one would be stopped by another instance's other one.
    grpcPort: (env['RACELINE_GRPC_PORT'] ?? '') === '' && whole('RACELINE_PORT', 0, 65_535) === 0 ? 0 : whole('RACELINE_GRPC_PORT', 0, 65_535),
    dataDir: text('RACELINE_DATA_DIR'),
    roles: readRoles(text('RACELINE_ROLES')),
    pilotSource: text('RACELINE_PILOT_SOURCE') || null,
    topicPrefix: text('RACELINE_TOPIC_PREFIX'),
    etaFormat: oneOf('RACELINE_ETA_FORMAT', ['avro', 'json']),
    logLevel: oneOf('RACELINE_LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    historyTtlDays: whole('RACELINE_HISTORY_TTL_DAYS', 1, 36_500),
    finishedTtlHours: whole('RACELINE_FINISHED_TTL_HOURS', 1, 8_760),
    maxSourceLabels: whole('RACELINE_MAX_SOURCE_LABELS', 0, 1_000),
    rateLimitPerSec: whole('RACELINE_RATE_LIMIT', 0, 1_000_000),
    allowedOrigins: list(text('RACELINE_ALLOWED_ORIGINS')),
    allowedHosts: list(text('RACELINE_ALLOWED_HOSTS')),
    tokensFile: text('RACELINE_TOKENS_FILE') === '' ? null : text('RACELINE_TOKENS_FILE'),
    maxConnections: whole('RACELINE_MAX_CONNECTIONS', 1, 1_000_000),
    readOnly: oneOf('RACELINE_READ_ONLY', ['true', 'false']) === 'true',
    maxHttpConnections: whole('RACELINE_MAX_HTTP_CONNECTIONS', 1, 1_000_000),
    mapTiles: text('RACELINE_MAP_TILES_URL') === '' ? null : readMapTiles(text('RACELINE_MAP_TILES_URL'), text('RACELINE_MAP_ATTRIBUTION')),
    kafka: text('KAFKA_BROKERS') === '' ? null : {
      brokers: list(text('KAFKA_BROKERS')),
      tls: oneOf('KAFKA_TLS', ['true', 'false']) === 'false' ? null
        : { caFile: text('KAFKA_TLS_CA_FILE'), certFile: text('KAFKA_TLS_CERT_FILE'), keyFile: text('KAFKA_TLS_KEY_FILE') },
      sasl: text('KAFKA_SASL_MECHANISM') === '' ? null : {
        mechanism: oneOf('KAFKA_SASL_MECHANISM', ['plain', 'scram-sha-256', 'scram-sha-512']),
        username: text('KAFKA_SASL_USERNAME'),
        password: password('KAFKA_SASL_PASSWORD'),
      },
      partitions: whole('KAFKA_PARTITIONS', 1, 1_000),
      replication: whole('KAFKA_REPLICATION', 0, 10),
      sessionTimeoutSec: whole('KAFKA_SESSION_TIMEOUT_SEC', 6, 300),
    },
    registry: text('SCHEMA_REGISTRY_URL') === '' ? null : {
      url: readUrl('SCHEMA_REGISTRY_URL', text('SCHEMA_REGISTRY_URL')),
      username: text('SCHEMA_REGISTRY_USERNAME'),
      password: password('SCHEMA_REGISTRY_PASSWORD'),
    },
    clickhouse: {
      url: text('CLICKHOUSE_URL') === '' ? null : readUrl('CLICKHOUSE_URL', text('CLICKHOUSE_URL')),
      database,
      username: text('CLICKHOUSE_USERNAME'),
      password: password('CLICKHOUSE_PASSWORD'),
    },
  };
}

function list(value: string): string[] {
  return value.split(',').map((item) => item.trim()).filter((item) => item !== '');
}

function readRoles(value: string): readonly RoleName[] {
  if (value === 'all') return roleNames;
  return value.split(',').map((item) => {
    const role = roleNames.find((name) => name === item.trim());
    if (role === undefined) throw invalid('RACELINE_ROLES', value, `all, or some of ${roleNames.join(', ')}`);
    return role;
  });
}

function readUrl(name: SettingName, value: string): string {
  const url = URL.parse(value);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw invalid(name, value, 'an http or https URL');
  return value;
}

function readMapTiles(url: string, attribution: string): { readonly url: string; readonly attribution: string } {
  readUrl('RACELINE_MAP_TILES_URL', url);
  if (!['{z}', '{x}', '{y}'].every((part) => url.includes(part))) throw invalid('RACELINE_MAP_TILES_URL', url, 'a URL with {z}, {x} and {y} in it');
  if (attribution === '') throw invalid('RACELINE_MAP_ATTRIBUTION', attribution, 'the name of whom the pictures are from');
  return { url, attribution };
}

function invalid(name: SettingName, value: string, range: string): AppError {
  return new AppError('config_invalid', `Cannot start: ${name} must be ${range}, got ${shown(name, value)}`);
}

/** A value as it may be printed: a secret, or a URL that a password may stand in, goes into no log. */
function shown(name: SettingName, value: string): string {
  const setting: Setting = settings[name];
  return setting.secret === true || setting.secretUrl === true ? 'something else' : `"${value}"`;
}
