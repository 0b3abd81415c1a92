import { settings } from '../../../src/config.ts';
import { failureCodes, rejectionCodes } from '../../../src/errors.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { topology, type Node } from '../../../topology/topology.ts';
import campaign from '../../integration/faults/campaign.json' with { type: 'json' };
import { tableOf } from '../../support/faults/table.ts';

/** What README.md prints of the code, by the name in its markers `<!-- begin x -->` and `<!-- end x -->`. */
const sections: Readonly<Record<string, () => string>> = {
  roles: () => `\`\`\`text\n${roles()}\n\`\`\``,
  settings: () => table(['variable', 'default', 'what it does'], Object.entries(settings).map(([name, setting]) => [
    `\`${name}\``, setting.default === '' ? '' : `\`${setting.default}\``, setting.help,
  ])),
  rejections: () => codeTable(rejectionCodes),
  failures: () => codeTable(failureCodes),
  faults: () => `Measured on ${campaign.measuredOn}, ${campaign.machine}.\n\n${tableOf(campaign.rows)}`,
  metrics: () => wrap(ownSeries().map((name) => `\`${name}\``)),
};

/** The README with each section as the code has it now. Throws when one has no markers. */
export function withSections(readme: string): string {
  return Object.entries(sections).reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- begin ${name} -->\n`, `\n<!-- end ${name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`README.md has no section between ${begin.trim()} and ${end.trim()}`);
    return text.slice(0, from + begin.length) + content() + text.slice(to);
  }, readme);
}

/** Every series that is registered, beside what prom-client measures of the process by itself. */
function ownSeries(): string[] {
  const names = createMetrics(0).registry.getMetricsAsArray().map(({ name }) => name.replace(/^raceline_/, ''));
  return names.filter((name) => !/^(nodejs|process)_/.test(name));
}

/** The graph in a line a node; topology/README.md has the whole print. */
function roles(): string {
  const byRole = Map.groupBy(topology, (node) => node.role);
  return [...byRole].map(([role, nodes]) => [`Role: ${role}`, ...nodes.filter((node) => node.kind !== 'source').map((node) => nodeLine(node, nodes))].join('\n')).join('\n');
}

function nodeLine(node: Exclude<Node, { kind: 'source' }>, nodes: readonly Node[]): string {
  const parents = node.parents.map((parent) => (nodes.some((other) => other.kind === 'source' && other.name === parent && other.topic !== null) ? `topic ${parent}` : parent));
  const isTopic = node.kind === 'sink' && node.topic !== 'clickhouse' && node.topic !== 'clients';
  const more = node.kind === 'sink' ? ` (${isTopic ? 'topic ' : ''}${node.topic})` : node.stores.map((store) => ` [${store}]`).join('');
  return `  ${`${node.name}${more}`.padEnd(36)} <-- ${parents.join(', ')}`;
}

/** Words with a blank between them, in lines of at most 140 characters. */
function wrap(words: readonly string[]): string {
  return words.reduce((text, word) => {
    const length = text.length - text.lastIndexOf('\n') - 1;
    return text === '' ? word : `${text}${length + word.length > 139 ? '\n' : ' '}${word}`;
  }, '');
}

function codeTable(codes: Readonly<Record<string, string>>): string {
  return table(['code', 'meaning'], Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
