import { Observable, type OperatorFunction } from 'rxjs';

/**
 * For each item any number of others, handed to `emit` one by one: filter, map and mergeMap in one hop, since each hop
 * costs every update. Synchronous; a throw is the stream's error.
 */
export function emitEach<In, Out>(handle: (item: In, emit: (out: Out) => void) => void): OperatorFunction<In, Out> {
  return (source) => new Observable<Out>((subscriber) => {
    const emit = (out: Out): void => subscriber.next(out);
    return source.subscribe({
      next(item) {
        try {
          handle(item, emit);
        } catch (error) {
          subscriber.error(error);
        }
      },
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
  });
}
