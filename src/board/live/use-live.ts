import { useEffect, useState } from 'preact/hooks';
import { currentLive, onLive, type Live } from './live.ts';

/** Draws again when the chosen part of what is live has changed. `choose` must not make new objects. */
export function useLive<T>(choose: (live: Live) => T): T {
  const [value, setValue] = useState(() => choose(currentLive()));
  useEffect(() => {
    const take = (): void => setValue(() => choose(currentLive()));
    take();
    return onLive(take);
    // The choice is the same function in meaning at each drawing.
  }, []);
  return value;
}
