import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const deployDir = join(import.meta.dirname, '../../../deploy');

export type Rule =
  | { readonly record: string; readonly expr: string; readonly labels?: Readonly<Record<string, string>> }
  | {
    readonly alert: string; readonly expr: string; readonly labels: { readonly severity: string };
    readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
  };

export type Alert = Extract<Rule, { alert: string }>;

export function readDeploy(name: string): string {
  return readFileSync(join(deployDir, name), 'utf8');
}

export function rules(): Rule[] {
  const file = parse(readDeploy('prometheus/raceline-rules.yaml')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
  return file.groups.flatMap((group) => group.rules);
}

export function alerts(): Alert[] {
  return rules().filter((rule) => 'alert' in rule);
}

/** The fenced blocks of one language in RUNBOOK.md. */
export function runbookBlocks(language: 'promql' | 'sql' | 'sh'): string[] {
  return [...readDeploy('RUNBOOK.md').matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1] ?? '');
}

export type Query = { readonly where: string; readonly expr: string };

type Panel = { readonly title: string; readonly targets?: readonly { readonly expr: string }[] };

/** Every query of the rules, the dashboard and the runbook, Grafana's variables filled in. */
export function queries(): Query[] {
  const dashboard = JSON.parse(readDeploy('grafana/raceline.json')) as { readonly panels: readonly Panel[]; readonly annotations: { readonly list: readonly { readonly expr: string }[] } };
  const filled = (expr: string): string => expr.replaceAll('$__rate_interval', '5m').replaceAll('$class', '.*');
  return [
    ...rules().map((rule) => ({ where: 'alert' in rule ? rule.alert : rule.record, expr: rule.expr })),
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `panel "${title}"`, expr: filled(expr) }))),
    ...dashboard.annotations.list.map(({ expr }) => ({ where: 'annotations of the dashboard', expr })),
    ...runbookBlocks('promql').flatMap((block) => block.trim().split('\n')).map((expr) => ({ where: 'RUNBOOK.md', expr })),
  ];
}
