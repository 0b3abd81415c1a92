import { useEffect, useState } from 'preact/hooks';
import { ApiError } from './http.ts';

export type Answer<T> = { readonly data: T | null; readonly error: ApiError | null; readonly isLoading: boolean };

/** Asks when `key` changes and each `everyMs`; what was known stays until the new answer is there. */
export function useQuery<T>(key: string, ask: () => Promise<T>, everyMs: number | null = null): Answer<T> & { readonly again: () => void } {
  const [answer, setAnswer] = useState<Answer<T> & { key: string }>({ key, data: null, error: null, isLoading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let isOver = false;
    const run = async (): Promise<void> => {
      try {
        const data = await ask();
        if (!isOver) setAnswer({ key, data, error: null, isLoading: false });
      } catch (error) {
        const said = error instanceof ApiError ? error : new ApiError(0, 'failed', String(error));
        if (!isOver) setAnswer((before) => ({ key, data: before.key === key ? before.data : null, error: said, isLoading: false }));
      }
    };
    setAnswer((before) => (before.key === key ? before : { key, data: null, error: null, isLoading: true }));
    void run();
    const timer = everyMs === null ? undefined : setInterval(() => {
      if (document.visibilityState === 'visible') void run();
    }, everyMs);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [key, everyMs, round]);
  return { data: answer.data, error: answer.error, isLoading: answer.isLoading, again: () => setRound((before) => before + 1) };
}
