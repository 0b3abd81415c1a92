import { describe, expect, it } from 'vitest';
import type { NewRecord, RecordLog } from '../../../src/ports/record-log.ts';
import { appendInChunks } from '../../../src/runtime/append-in-chunks.ts';

const records: readonly NewRecord[] = ['a', 'b', 'c'].map((key) => ({ key: Buffer.from(key), value: Buffer.alloc(500_000) }));

/** A log of which only `append` is asked; the answers are given in turn. */
function answering(answers: readonly (number | Error)[]): { readonly log: RecordLog; readonly sent: string[] } {
  const sent: string[] = [];
  const append = async (_topic: string, _partition: number, some: readonly NewRecord[]): Promise<number> => {
    const answer = answers[sent.push(some.map(({ key }) => key?.toString()).join('')) - 1] ?? 0;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { log: { append } as unknown as RecordLog, sent };
}

describe('appendInChunks()', () => {
  it('sends nothing for nothing, and what fits in one send at once', async () => {
    const { log, sent } = answering([]);
    await appendInChunks(log, 'race-states', 0, []);
    await appendInChunks(log, 'race-states', 0, records.slice(0, 1));
    expect(sent).toEqual(['a']);
  });

  it('stores a beginning or all: a failed send is the last', async () => {
    const { log, sent } = answering([0, new Error('refused')]);
    await expect(appendInChunks(log, 'race-states', 0, records)).rejects.toThrow('refused');
    expect(sent).toEqual(['a', 'b']);
  });

  it('sends nothing more once it is told to stop', async () => {
    const { log, sent } = answering([]);
    const lost = new AbortController();
    const appending = appendInChunks(log, 'race-states', 0, records, lost.signal);
    lost.abort(new Error('lost'));
    await expect(appending).rejects.toThrow('lost');
    expect(sent).toEqual(['a']);
  });
});
