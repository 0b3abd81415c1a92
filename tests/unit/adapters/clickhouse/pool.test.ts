import { describe, expect, it } from 'vitest';
import { createPool } from '../../../../src/adapters/clickhouse/pool.ts';

describe('createPool()', () => {
  it('lends a resource to one at a time, first come, first served', async () => {
    const pool = createPool(['only']);
    const order: number[] = [];
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const uses = gates.map((gate, n) => pool.use(async () => {
      order.push(n);
      await gate.promise;
    }));
    expect(order).toEqual([]);
    await Promise.resolve();
    expect(order).toEqual([0]);
    for (const [n, gate] of gates.entries()) {
      gate.resolve();
      await uses[n];
    }
    expect(order).toEqual([0, 1, 2]);
  });
  it('takes a resource back from work that failed', async () => {
    const pool = createPool(['only']);
    await expect(pool.use(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(pool.use(async (resource) => resource)).resolves.toBe('only');
  });
  it('refuses those who would wait too long', async () => {
    const pool = createPool(['only'], 1);
    const gate = Promise.withResolvers<void>();
    const first = pool.use(() => gate.promise);
    const second = pool.use(async () => 'second');
    await expect(pool.use(async () => 'third')).rejects.toMatchObject({ code: 'unavailable' });
    gate.resolve();
    await first;
    await expect(second).resolves.toBe('second');
  });
});
