import { stores } from './stores.ts';
import { partitionCounts, topics, type TopicSpec } from './topics.ts';
import { topology, type Node, type RoleName } from './topology.ts';

/** The declared graph as text or as a Mermaid flowchart. `README.md` beside this file holds both; a test compares. */
export function describeTopology(format: 'text' | 'mermaid'): string {
  return format === 'text' ? describeText() : describeMermaid();
}

function describeText(): string {
  const lines: string[] = [];
  for (const role of roles()) {
    lines.push(`Role: ${role}`);
    for (const node of topology.filter((candidate) => candidate.role === role)) lines.push(...describeNode(node, role));
    lines.push('');
  }
  lines.push('Stores');
  for (const store of stores) {
    lines.push(`  ${store.name} (${store.scope}): ${store.key} -> ${store.value} [${store.topics.join(', ')}]`);
  }
  lines.push('', 'Topics');
  for (const topic of topics) lines.push(`  ${topic.name}: ${topic.key} -> ${topic.value}`, `      ${describeTopic(topic)}`);
  return `${lines.join('\n')}\n`;
}

function describeNode(node: Node, role: RoleName): string[] {
  switch (node.kind) {
    case 'source':
      return [`  Source: ${node.name}${node.topic === null ? '' : ` (topic ${node.topic}, ${node.reads === 'all' ? 'every instance reads all' : 'shared by the group'})`}`, `      --> ${childrenOf(node.name, role)}`];
    case 'processor':
      return [
        `  Processor: ${node.name} (stores: [${node.stores.join(', ')}])`,
        `      --> ${childrenOf(node.name, role)}`,
        `      <-- ${node.parents.join(', ')}`,
      ];
    case 'sink':
      return [`  Sink: ${node.name} (${node.topic === 'clickhouse' || node.topic === 'clients' ? node.topic : `topic ${node.topic}`})`, `      <-- ${node.parents.join(', ')}`];
  }
}

function describeTopic(topic: TopicSpec): string {
  const { kafka, embedded } = partitionCounts;
  const retention = topic.retentionMs === null ? '' : ` ${topic.retentionMs / 86_400_000} d`;
  return `${topic.cleanup}${retention}, ${kafka[topic.partitions]} partitions on Kafka, ${embedded[topic.partitions]} embedded; written by ${topic.writtenBy}; read by ${topic.readBy}`;
}

function childrenOf(name: string, role: RoleName): string {
  const children = topology.filter((node) => node.role === role && node.kind !== 'source' && node.parents.some((parent) => parent === name));
  return children.map((node) => node.name).join(', ') || 'none';
}

function describeMermaid(): string {
  const lines = ['flowchart LR'];
  const topicsShown = new Set<string>();
  const topicNode = (topic: string): string => {
    if (!topicsShown.has(topic)) {
      topicsShown.add(topic);
      lines.push(topic === 'clickhouse' || topic === 'clients' ? `  ${id('t', topic)}[(${topic})]` : `  ${id('t', topic)}{{${topic}}}`);
    }
    return id('t', topic);
  };
  for (const role of roles()) {
    const nodes = topology.filter((node) => node.role === role);
    lines.push(`  subgraph ${role}`);
    for (const node of nodes) {
      if (node.kind === 'processor') lines.push(`    ${id(role, node.name)}[${node.name}${node.stores.length > 0 ? `<br/>${node.stores.join(', ')}` : ''}]`);
      if (node.kind === 'source' && node.topic === null) lines.push(`    ${id(role, node.name)}([${node.name}])`);
    }
    lines.push('  end');
    for (const node of nodes) {
      if (node.kind === 'source') continue;
      for (const parent of node.parents) {
        const source = nodes.find((candidate) => candidate.kind === 'source' && candidate.name === parent);
        const from = source?.kind === 'source' && source.topic !== null ? topicNode(source.topic) : id(role, parent);
        lines.push(node.kind === 'sink' ? `  ${from} -->|${node.name}| ${topicNode(node.topic)}` : `  ${from} --> ${id(role, node.name)}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

function id(scope: string, name: string): string {
  return `${scope}_${name.replaceAll(/[^a-z]/g, '_')}`;
}

function roles(): RoleName[] {
  return [...new Set(topology.map((node) => node.role))];
}
