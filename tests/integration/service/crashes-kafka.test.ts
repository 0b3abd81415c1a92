import { describe } from 'vitest';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting } from '../../support/kafka-service.ts';
import { describeCrashes } from './crash-scenario.ts';

describe.skipIf(whyNoEngines() !== null)('with real engines', () => {
  describeCrashes('killed on Kafka and a registry', async () => {
    const { env, partitions, whenJoined, buryMembers, openLog } = await kafkaSetting();
    return {
      env, partitions,
      beforeKill: () => whenJoined(),
      afterKill: () => buryMembers(),
      async endOffsets() {
        const log = await openLog();
        try {
          return await log.endOffsets('race-updates');
        } finally {
          await log.close();
        }
      },
    };
  });
});
