// The whole service of a setting, as `raceline up` starts it, in a process that its parent can look into.
import { startService } from '../../../src/main.ts';
import { childOptions, tellParent } from '../child.ts';

export type ServiceProcessOptions = { readonly env: Readonly<Record<string, string>> };
export type ServiceMessage = { readonly address: string } | { readonly cpuMs: number; readonly heapBytes: number };

const service = await startService(childOptions<ServiceProcessOptions>().env);
process.on('message', () => {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { user, system } = process.cpuUsage();
  tellParent({ cpuMs: (user + system) / 1_000, heapBytes: process.memoryUsage().heapUsed });
});
process.once('disconnect', () => void service.close().finally(() => process.exit(0)));
tellParent({ address: service.address });
