import { Command } from 'commander';
import type { CliContext } from './context.ts';
import { loadServices } from './services.ts';

export function topicsCommand(context: CliContext): Command {
  const apply = new Command('apply')
    .description('Create the topics that are missing; refuses when one exists with another partition count')
    .action(async () => {
      const { openLog } = await loadServices();
      const { log, topics } = await openLog(context.env);
      try {
        await log.ensureTopics(topics);
        for (const { name, partitions, cleanup } of topics) context.out.write(`${name}: ${partitions} partitions, ${cleanup}\n`);
      } finally {
        await log.close();
      }
    });
  return new Command('topics').description('The topics of topology/topics.ts on the configured log').addCommand(apply);
}
