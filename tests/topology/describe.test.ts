import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeTopology } from '../../topology/describe.ts';
import { stores } from '../../topology/stores.ts';
import { topics } from '../../topology/topics.ts';
import { topology } from '../../topology/topology.ts';

const readme = readFileSync(new URL('../../topology/README.md', import.meta.url), 'utf8');

describe('topology', () => {
  it('is printed in its README as it stands', () => {
    expect(readme).toContain(`\`\`\`text\n${describeTopology('text')}\`\`\``);
    expect(readme).toContain(`\`\`\`mermaid\n${describeTopology('mermaid')}\`\`\``);
  });

  it('names only parents that exist in the same role, declared before their children', () => {
    for (const [index, node] of topology.entries()) {
      if (node.kind === 'source') continue;
      const before = topology.slice(0, index).filter((other) => other.role === node.role).map((other) => other.name);
      for (const parent of node.parents) expect(before, `${node.name} <-- ${parent}`).toContain(parent);
    }
  });

  it('names only stores and topics that are declared', () => {
    const storeNames = stores.map((store) => store.name);
    const topicNames: string[] = [...topics.map((topic) => topic.name), 'clickhouse', 'clients'];
    for (const node of topology) {
      if (node.kind === 'processor') for (const store of node.stores) expect(storeNames).toContain(store);
      else if (node.topic !== null) expect(topicNames).toContain(node.topic);
    }
  });
});
