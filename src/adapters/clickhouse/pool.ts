import { AppError } from '../../errors.ts';

/** Lends each resource to one user at a time, first come, first served. */
export type Pool<T> = { use<R>(work: (resource: T) => Promise<R>): Promise<R> };

/** Beyond `maxWaiting` waiting users, `use` rejects with `unavailable`. */
export function createPool<T>(resources: readonly T[], maxWaiting = Infinity): Pool<T> {
  const free = [...resources];
  const waiting: ((resource: T) => void)[] = [];
  const take = (): Promise<T> => {
    const resource = free.pop();
    if (resource !== undefined) return Promise.resolve(resource);
    if (waiting.length >= maxWaiting) {
      return Promise.reject(new AppError('unavailable', `Cannot queue the query: ${maxWaiting} are waiting already`));
    }
    return new Promise((resolve) => { waiting.push(resolve); });
  };
  const giveBack = (resource: T): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(resource);
    else next(resource);
  };
  return {
    async use(work) {
      const resource = await take();
      try {
        return await work(resource);
      } finally {
        giveBack(resource);
      }
    },
  };
}
