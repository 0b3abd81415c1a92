import { Command, Option } from 'commander';
import { describeTopology } from '../../topology/describe.ts';
import type { CliContext } from './context.ts';

export function topologyCommand(context: CliContext): Command {
  return new Command('topology')
    .description('Print the graph: sources, processors, stores, sinks and topics')
    .addOption(new Option('--format <format>', 'How to print it').choices(['text', 'mermaid']).default('text'))
    .action((options: { format: 'text' | 'mermaid' }) => {
      const text = describeTopology(options.format);
      context.out.write(text.endsWith('\n') ? text : `${text}\n`);
    });
}
