import { describe, expect, it } from 'vitest';
import { beginTurn } from '../../../src/runtime/turns.ts';

describe('beginTurn()', () => {
  it('is over after 2 ms, or 100 records where time stands still', async () => {
    const time = { ms: 5 };
    const turn = beginTurn({ monotonicMs: () => time.ms });
    expect(turn.isOver()).toBe(false);
    time.ms = 6.9;
    expect(turn.isOver()).toBe(false);
    time.ms = 7;
    expect(turn.isOver()).toBe(true);
    await turn.next();
    expect(Array.from({ length: 100 }, () => turn.isOver()).indexOf(true)).toBe(99);
  });

  it('asks the clock after each of so many records only', () => {
    let looks = 0;
    const turn = beginTurn({ monotonicMs: () => 10 * looks++ }, { recordsALook: 8 });
    expect(Array.from({ length: 8 }, () => turn.isOver())).toEqual([...Array.from({ length: 7 }, () => false), true]);
    expect(looks).toBe(2);
  });

  it('is as long as others had the event loop before, 10 ms at most', async () => {
    const time = { ms: 0 };
    const turn = beginTurn({ monotonicMs: () => time.ms });
    for (const [othersMs, lengthMs] of [[6, 6], [300, 10], [0, 2]] as const) {
      setImmediate(() => { time.ms += othersMs; });
      // Behind the one above.
      await turn.next();
      const startedAtMs = time.ms;
      while (!turn.isOver()) time.ms += 1;
      expect(time.ms - startedAtMs).toBe(lengthMs);
    }
  });

  it('lets go first what the others rest on', async () => {
    const events: string[] = [];
    const takeTurns = async (name: string, goesFirst: boolean): Promise<void> => {
      const turn = beginTurn({ monotonicMs: () => 0 }, { goesFirst });
      for (let i = 0; i < 2; i++) {
        await turn.next();
        events.push(name);
      }
    };
    await Promise.all([takeTurns('a', false), takeTurns('b', false), takeTurns('first', true)]);
    expect(events).toEqual(['first', 'first', 'a', 'b', 'a', 'b']);
  });

  it('gives one turn each time round the event loop, to whoever waited longest', async () => {
    const events: string[] = [];
    const turns = ['a', 'b', 'c'].map((name) => ({ name, turn: beginTurn({ monotonicMs: () => 0 }) }));
    const round = (): void => {
      events.push('round');
      if (events.length < 12) setImmediate(round);
    };
    setImmediate(round);
    await Promise.all(turns.map(async ({ name, turn }) => {
      for (let i = 0; i < 2; i++) {
        await turn.next();
        events.push(name);
      }
    }));
    expect(events.filter((event) => event !== 'round')).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    for (let i = 1; i < events.length; i++) expect(events[i - 1] === 'round' || events[i] === 'round').toBe(true);
  });
});
