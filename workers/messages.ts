import type { MessagePort } from 'node:worker_threads';
import type { RebuildInput } from '../src/cluster/rebuild.ts';
import type { Stage } from '../src/cluster/work.ts';

/** What a pool hands to the worker: the input and this task's end of a channel. Both ends are closed with the task. */
export type RebuildTask = { readonly input: RebuildInput; readonly port: MessagePort };

/** Worker to pool, ten times a second at most, and at each change of stage. */
export type ProgressMessage = { readonly kind: 'progress'; readonly stage: Stage; readonly ratio: number };

/** Pool to worker: nobody wants the result any more. The worker answers with the outcome `cancelled`; it is never terminated while it works. */
export type CancelMessage = { readonly kind: 'cancel' };
