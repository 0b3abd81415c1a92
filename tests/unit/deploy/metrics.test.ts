import { describe, expect, it } from 'vitest';
import { rejectionCodes } from '../../../src/errors.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { queries, readDeploy, rules } from '../../support/deploy/files.ts';
import openApi from '../../../schemas/openapi.json' with { type: 'json' };

/** What prom-client keeps of a metric, beyond its types. */
type Metric = { readonly name: string; readonly labelNames: readonly string[]; readonly upperBounds?: readonly number[] };

const metrics = new Map((createMetrics(50).registry.getMetricsAsArray() as unknown as Metric[]).map((metric) => [metric.name, metric]));
const recorded = new Set(rules().flatMap((rule) => ('record' in rule ? [rule.record] : [])));
/** Given by users, see the rules' comment. */
const optional = new Set(['raceline:forecast_budget_of_class:ratio']);
const scraped = ['job', 'instance'];

function metricOf(name: string): Metric | undefined {
  const exact = metrics.get(name);
  if (exact !== undefined) return exact.upperBounds === undefined ? exact : undefined;
  const base = metrics.get(name.replace(/_(bucket|sum|count)$/, ''));
  return base?.upperBounds === undefined ? undefined : base;
}

type Use = { readonly where: string; readonly name: string; readonly labels: readonly { readonly label: string; readonly operator: string; readonly value: string }[] };

/** Each series of ours that a query names, with its selector. */
function usesOf({ where, expr }: { readonly where: string; readonly expr: string }): Use[] {
  return [...expr.matchAll(/\b(raceline[_:][a-z0-9_:]+)(?:\{((?:[^}"]|"[^"]*")*)\})?/g)].map((match) => ({
    where, name: match[1] ?? '',
    labels: [...(match[2] ?? '').matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label = '', operator = '', value = '']) => ({ label, operator, value })),
  }));
}

const uses = queries().flatMap(usesOf);

describe('queries of the rules, the dashboard and the runbook', () => {
  it('are many', () => {
    expect(uses.length).toBeGreaterThan(100);
  });

  it('name only metrics that Raceline has, or that the rules record', () => {
    const unknown = uses.filter(({ name }) => name.includes(':') ? !recorded.has(name) && !optional.has(name) : metricOf(name) === undefined);
    expect(unknown.map(({ where, name }) => `${where}: ${name}`)).toEqual([]);
  });

  it('select only by labels that the metric has', () => {
    const unknown = uses.filter(({ name }) => !name.includes(':')).flatMap(({ where, name, labels }) => {
      const known = [...(metricOf(name)?.labelNames ?? []), ...scraped, ...(name.endsWith('_bucket') ? ['le'] : [])];
      return labels.filter(({ label }) => !known.includes(label)).map(({ label }) => `${where}: ${name} has no ${label}`);
    });
    expect(unknown).toEqual([]);
  });

  it('promise only thresholds that are bounds of a bucket', () => {
    const bounds = uses.flatMap(({ where, name, labels }) => labels.filter(({ label }) => label === 'le').map(({ value }) => ({ where, name, value })));
    expect(bounds.length).toBeGreaterThan(10);
    expect(bounds.filter(({ name, value }) => metricOf(name)?.upperBounds?.includes(Number(value)) !== true)).toEqual([]);
  });

  it('name only rejection codes and routes that exist', () => {
    const valuesOf = (wanted: string): string[] => uses.flatMap(({ labels }) => labels.filter(({ label }) => label === wanted).flatMap(({ value }) => value.split('|')));
    expect(valuesOf('code').filter((code) => !(code in rejectionCodes))).toEqual([]);
    const routes = new Set(Object.keys(openApi.paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1')));
    expect(valuesOf('route').length).toBeGreaterThan(0);
    expect(valuesOf('route').filter((route) => !routes.has(route))).toEqual([]);
  });

  it('name metrics in prose that exist', () => {
    const text = readDeploy('RUNBOOK.md');
    const named = [...text.matchAll(/\braceline(?:_[a-z0-9]+)+|\braceline(?::[a-z0-9_]+)+/g)].map(([name]) => name);
    expect(named.filter((name) => metricOf(name) === undefined && !recorded.has(name) && !optional.has(name))).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('shows every metric that is Raceline\'s own', () => {
    const shown = new Set(uses.filter(({ where }) => where.startsWith('panel')).map(({ name }) => metricOf(name)?.name ?? name));
    const own = [...metrics.keys()].filter((name) => !/^raceline_(nodejs|process)_/.test(name));
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter((name) => !shown.has(name))).toEqual([]);
  });
});
