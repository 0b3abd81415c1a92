import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig, roleNames, settings, type Config } from '../../../src/config.ts';
import { deployDir, readDeploy } from '../../support/deploy/files.ts';

// No container engine runs here: what can be held against the code is.

const root = join(deployDir, '..');
const dockerfile = readDeploy('Dockerfile');
const imageEnv = Object.fromEntries([...(/^ENV (.+)$/m.exec(dockerfile)?.[1] ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));
const port = imageEnv['RACELINE_PORT'];

/** Of the image with these variables on top; every name that could be a setting must be one. */
function configWith(env: Readonly<Record<string, string>>): Config {
  const all = { ...imageEnv, ...env };
  const unknown = Object.keys(all).filter((name) => !(name in settings) && name !== 'NODE_ENV' && name !== 'UV_THREADPOOL_SIZE');
  expect(unknown).toEqual([]);
  return readConfig(all);
}

describe('Dockerfile', () => {
  it('copies what exists, and the image gets nothing else', () => {
    const kept = readDeploy('Dockerfile.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(kept.filter((name) => name !== 'workers' && !existsSync(join(root, name)))).toEqual([]);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => (match[1] ?? '').split(' ')).filter((name) => name !== '.');
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.filter((name) => !kept.includes(name))).toEqual([]);
  });

  it('holds every folder that the program imports from', () => {
    const kept = readDeploy('Dockerfile.dockerignore');
    const folders = new Set(readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).flatMap((name) =>
      [...readFileSync(join(root, 'src', name), 'utf8').matchAll(/(?:\.\.\/)+(topology|schemas|workers)\//g)].map((match) => match[1] ?? '')));
    expect(folders.size).toBeGreaterThan(1);
    for (const folder of folders) expect(kept).toContain(`!${folder}\n`);
  });

  it('starts the launcher on the Node and with the threads and the flag that it wants, so that it starts no second process', () => {
    const [, ...flags] = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
    const entry = flags.pop() ?? '';
    const launcher = readFileSync(join(root, entry), 'utf8');
    const bases = [...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map((match) => match[1]);
    expect(new Set(bases)).toEqual(new Set([/NEEDED_MAJOR = (\d+)/.exec(launcher)?.[1]]));
    expect(flags).toEqual([/YOUNG_SPACE = '(.+)'/.exec(launcher)?.[1]]);
    expect(imageEnv['UV_THREADPOOL_SIZE']).toBe(/THREADS = '(\d+)'/.exec(launcher)?.[1]);
  });

  it('answers on the port that it exposes, and keeps its data where others may not be root', () => {
    const config = configWith({});
    expect(/^EXPOSE (.+)$/m.exec(dockerfile)?.[1]).toBe(`${config.port} ${config.grpcPort}`);
    expect(config.host).toBe('0.0.0.0');
    expect(dockerfile).toContain(`VOLUME ${config.dataDir}\n`);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});

type Service = {
  readonly image: string; readonly build?: { readonly context: string; readonly dockerfile: string }; readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[]; readonly ports?: readonly string[]; readonly depends_on?: Readonly<Record<string, object>>;
};

describe('compose.yaml', () => {
  const compose = parse(readDeploy('compose.yaml')) as { readonly services: Readonly<Record<string, Service>>; readonly volumes: Readonly<Record<string, unknown>> };
  const services = Object.entries(compose.services);
  const raceline = compose.services['raceline'];

  it('gives Raceline settings that it takes, and engines that are services', () => {
    const { kafka, registry, clickhouse } = configWith(raceline?.environment as Readonly<Record<string, string>>);
    const hosts = [...(kafka?.brokers ?? []).map((broker) => broker.split(':')[0]), new URL(registry?.url ?? '').hostname, new URL(clickhouse.url ?? '').hostname];
    expect(hosts).toEqual(['kafka', 'registry', 'clickhouse']);
    expect(Object.keys(raceline?.depends_on ?? {})).toEqual(hosts);
    const server = compose.services['clickhouse']?.environment;
    expect([server?.['CLICKHOUSE_USER'], server?.['CLICKHOUSE_PASSWORD']]).toEqual([clickhouse.username, clickhouse.password]);
    expect(compose.services['kafka']?.environment?.['KAFKA_ADVERTISED_LISTENERS']).toContain(`INTERNAL://${kafka?.brokers[0]}`);
  });

  it('refers to files, services and volumes that exist', () => {
    for (const [name, { build, volumes = [], depends_on = {} }] of services) {
      if (build !== undefined) expect(existsSync(join(deployDir, build.context, build.dockerfile)), name).toBe(true);
      for (const dependency of Object.keys(depends_on)) expect(Object.keys(compose.services), name).toContain(dependency);
      for (const volume of volumes.map((text) => text.split(':')[0] ?? '')) {
        if (volume.startsWith('.')) expect(existsSync(join(deployDir, volume)), volume).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(volume);
      }
    }
  });

  it('pins every image and opens ports to this machine alone', () => {
    expect(services.filter(([, { image, build }]) => build === undefined && !/:v?\d+\.\d+/.test(image))).toEqual([]);
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(3);
    expect(ports.filter((mapping) => !mapping.startsWith('127.0.0.1:'))).toEqual([]);
    expect(raceline?.ports).toEqual([`127.0.0.1:${port}:${port}`]);
  });

  it('has Raceline where Prometheus looks, and the dashboard where Grafana does', () => {
    const { scrape_configs: [scrape] } = parse(readDeploy('prometheus/prometheus.yaml')) as { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[] };
    expect([scrape?.job_name, scrape?.static_configs[0]?.targets]).toEqual(['raceline', [`raceline:${port}`]]);
    const { providers } = parse(readDeploy('grafana/provisioning/dashboards/raceline.yaml')) as { providers: { options: { path: string } }[] };
    const mounted = (compose.services['grafana']?.volumes ?? []).find((volume) => volume.startsWith('./grafana/raceline.json:'))?.split(':')[1];
    expect(mounted).toBe(`${providers[0]?.options.path}/raceline.json`);
    expect(compose.services['grafana']?.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']).toBe(mounted);
  });
});

type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };
type Container = {
  readonly image: string; readonly env: readonly { readonly name: string; readonly value: string }[]; readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe; readonly livenessProbe: Probe; readonly readinessProbe: Probe; readonly resources: unknown; readonly securityContext: unknown;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]; readonly envFrom: unknown;
};
type Labels = Readonly<Record<string, string>>;
type Deployment = {
  readonly kind: string; readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly enableServiceLinks: boolean; readonly terminationGracePeriodSeconds: number; readonly securityContext: unknown;
        readonly containers: readonly [Container]; readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
};

describe('kubernetes', () => {
  const kustomization = parse(readDeploy('kubernetes/kustomization.yaml')) as {
    readonly resources: readonly string[]; readonly images: readonly { readonly name: string }[];
    readonly configMapGenerator: readonly { readonly name: string; readonly literals: readonly string[] }[];
  };
  const objects = kustomization.resources.flatMap((name) => parseAllDocuments(readDeploy(`kubernetes/${name}`)).map((document) => document.toJS() as unknown));
  const deployments = objects.filter((object) => (object as Deployment).kind === 'Deployment') as Deployment[];
  const shared = Object.fromEntries((kustomization.configMapGenerator[0]?.literals ?? []).map((literal) => literal.split(/=(.*)/s).slice(0, 2))) as Record<string, string>;
  const configOf = ({ spec: { template: { spec: { containers: [{ env }] } } } }: Deployment): Config =>
    configWith({ ...shared, ...Object.fromEntries(env.map(({ name, value }) => [name, value])) });

  it('lists every file', () => {
    expect([...kustomization.resources, 'kustomization.yaml'].sort()).toEqual(readdirSync(join(deployDir, 'kubernetes')).sort());
  });

  it('has all roles running somewhere, on engines of their own', () => {
    const configs = deployments.map(configOf);
    expect(configs.flatMap(({ roles }) => roles).sort()).toEqual([...roleNames].sort());
    for (const { kafka, registry, clickhouse } of configs) expect([kafka, registry, clickhouse.url]).not.toContain(null);
  });

  it.each(deployments.map((deployment) => [deployment.metadata.name, deployment] as const))('%s is probed, limited and confined', (_name, deployment) => {
    const { selector, template: { metadata, spec } } = deployment.spec;
    const [container] = spec.containers;
    expect(metadata.labels).toMatchObject(selector.matchLabels);
    expect(kustomization.images.map(({ name }) => name)).toContain(container.image);
    expect(container.envFrom).toContainEqual({ configMapRef: { name: kustomization.configMapGenerator[0]?.name } });
    const { port: httpPort, grpcPort, roles } = configOf(deployment);
    expect(container.ports).toEqual([{ name: 'http', containerPort: httpPort }, ...(roles.includes('gateway') ? [{ name: 'grpc', containerPort: grpcPort }] : [])]);
    expect([container.startupProbe, container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: '/healthz', port: 'http' }, { path: '/healthz', port: 'http' }, { path: '/readyz', port: 'http' },
    ]);
    expect(container.resources).toMatchObject({ requests: { cpu: expect.anything() as unknown, memory: expect.anything() as unknown }, limits: { memory: expect.anything() as unknown } });
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true });
    expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(configOf(deployment).dataDir);
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(spec.volumes.map(({ name }) => name).sort());
    // Kubernetes would set RACELINE_PORT=tcp://... for the service of that name.
    expect(spec.enableServiceLinks).toBe(false);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(20);
  });

  it('sends clients to gateways', () => {
    const service = objects.find((object) => (object as Deployment).kind === 'Service') as { spec: { selector: Labels; ports: { targetPort: string }[] } };
    const chosen = deployments.filter(({ spec }) => Object.entries(service.spec.selector).every(([label, value]) => spec.template.metadata.labels[label] === value));
    expect(chosen.length).toBeGreaterThan(0);
    for (const deployment of chosen) expect(configOf(deployment).roles).toContain('gateway');
    expect(service.spec.ports.map(({ targetPort }) => targetPort)).toEqual(['http', 'grpc']);
  });
});
