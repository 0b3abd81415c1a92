import { describe, expect, it } from 'vitest';
import { onlyCommitted, type FetchedRecord } from '../../../../src/adapters/kafka/aborted-transactions.ts';

const COMMIT_KEY = Buffer.from([0, 0, 0, 1]);
const ABORT_KEY = Buffer.from([0, 0, 0, 0]);

/** One record a letter: a..z data of producer 1, A..Z of producer 2, '.' data outside of transactions; + - end 1's, * / 2's. */
function log(text: string): FetchedRecord[] {
  return [...text].map((letter, offset) => {
    const isControl = '+-*/'.includes(letter);
    const producerId = letter === '.' ? '9' : /[A-Z*/]/.test(letter) ? '2' : '1';
    return {
      offset: String(offset), timestamp: '0', headers: {}, isControlRecord: isControl,
      key: isControl ? ('+*'.includes(letter) ? COMMIT_KEY : ABORT_KEY) : null,
      value: Buffer.from(letter),
      batchContext: { producerId, inTransaction: letter !== '.' },
    };
  });
}

function seen(text: string, aborted: readonly { producerId: string; firstOffset: string }[] | null): string {
  return onlyCommitted(log(text), aborted).map((record) => String(record.value)).join('');
}

describe('onlyCommitted()', () => {
  it('leaves out control records where nothing was aborted', () => {
    expect(seen('ab+.', null)).toBe('ab.');
    expect(seen('ab+.', [])).toBe('ab.');
  });

  it('leaves out an aborted transaction and nothing behind its end', () => {
    expect(seen('ab-cd+', [{ producerId: '1', firstOffset: '0' }])).toBe('cd');
  });

  it('keeps other producers and records outside of transactions in between', () => {
    expect(seen('a.Bb-C*', [{ producerId: '1', firstOffset: '0' }])).toBe('.BC');
  });

  it('knows an abort that began before the fetch', () => {
    expect(seen('ab-c+', [{ producerId: '1', firstOffset: '-5' }])).toBe('c');
  });

  it('takes two that begin at once, named in any order', () => {
    expect(seen('.aB-/c+', [{ producerId: '2', firstOffset: '2' }, { producerId: '1', firstOffset: '1' }])).toBe('.c');
    expect(seen('aB-/', [{ producerId: '2', firstOffset: '0' }, { producerId: '1', firstOffset: '0' }])).toBe('');
  });
});
