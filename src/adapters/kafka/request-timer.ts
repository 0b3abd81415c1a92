import { createRequire } from 'node:module';
import { assert } from '../../errors.ts';

type RequestQueue = { pending: unknown[]; scheduleCheckPendingRequests: (this: RequestQueue) => void };

let repaired = false;

/**
 * Stops kafkajs 2.2.4 from re-arming a timer of negative length on every connection, for ever: it costs 2 % of a core
 * per idle connection, and Node 24 prints a TimeoutNegativeWarning about it
 * (https://github.com/tulios/kafkajs/issues/1751). A queue with nothing pending needs no timer: `push` arms one.
 * Idempotent.
 */
export function repairRequestTimer(): void {
  if (repaired) return;
  repaired = true;
  const queueClass = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const original = queueClass.prototype.scheduleCheckPendingRequests;
  assert(typeof original === 'function', 'kafkajs is not the version whose request queue is known');
  queueClass.prototype.scheduleCheckPendingRequests = function scheduleWhenPending(this: RequestQueue): void {
    if (this.pending.length > 0) original.call(this);
  };
}
