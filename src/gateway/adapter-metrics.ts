import type { AdapterRegistry, AdapterState } from './adapters.ts';

/** The origin's numbers for states, by which its boards colour. */
const codes: Readonly<Record<AdapterState, number>> = { HEALTHY: 0, UNHEALTHY: 1, UNKNOWN: 2, STOPPED: 3, REGISTERED: 4, EXEMPT: 5 };

/** The registered client processes in Prometheus' text, under the origin's names. */
export function adapterMetrics(list: ReturnType<AdapterRegistry['list']>, nowMs: number): string {
  const lines: string[] = [];
  const family = (name: string, help: string, samples: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    for (const [labels, value] of samples) lines.push(`${name}${labelText(labels)} ${value}`);
  };
  const states = Map.groupBy(list, ({ state }) => state);
  const each = (read: (item: (typeof list)[number]) => number) => list.map((item) => (
    [{ adapter_type: item.adapter.type.toLowerCase(), instance: item.adapter.instance, state: item.state }, read(item)] as const));
  const figure = (name: string) => (item: (typeof list)[number]): number => Number(item.adapter.metrics[name]) || 0;
  family('raceboard_adapters_total', 'Total number of registered adapters', [[{}, list.length]]);
  family('raceboard_adapters_state', 'Registered adapters by state', [...states].map(([state, some]) => [{ state }, some.length] as const));
  family('raceboard_adapter_health', '0 healthy, 1 unhealthy, 2 unknown, 3 stopped, 4 registered, 5 exempt', each(({ state }) => codes[state]));
  family('raceboard_adapter_last_report_seconds', 'Since the last report, or since the registration', each(({ adapter }) => Math.floor((nowMs - (adapter.lastReportAtMs ?? adapter.registeredAtMs)) / 1_000)));
  family('raceboard_adapter_races_created', 'As the adapter counts them', each(figure('races_created')));
  family('raceboard_adapter_races_updated', 'As the adapter counts them', each(figure('races_updated')));
  return `${lines.join('\n')}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
