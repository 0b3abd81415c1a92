import { isLoopback } from '../runtime/loopback.ts';
import type { App } from './app.ts';
import { HttpFailure } from './failures.ts';

/**
 * Refuses requests whose Host is not ours. A page of anywhere can let its own name resolve to 127.0.0.1 and is then of
 * the same origin as a service there (DNS rebinding): only the name in Host tells. So a gateway on a loopback address
 * takes loopback names and those that are listed; one that others can reach checks only when there is a list.
 */
export function requireKnownHost(app: App, own: OwnHosts): void {
  const check = hostCheck(own);
  app.addHook('onRequest', async (request) => {
    const refusal = check(request.headers.host);
    if (refusal !== null) throw refusal;
  });
}

export type OwnHosts = { readonly host: string; readonly allowedHosts: readonly string[] };

/** The check by itself: why a request for this host is refused; null = it is ours. */
export function hostCheck({ host, allowedHosts }: OwnHosts): (given: string | undefined) => HttpFailure | null {
  if (allowedHosts.includes('*') || (!isLoopback(host) && allowedHosts.length === 0)) return () => null;
  const known = new Set([host, ...allowedHosts].map((name) => name.toLowerCase()));
  return (given) => {
    // HTTP/1.0, which no browser speaks.
    if (given === undefined) return null;
    const name = given.toLowerCase().replace(/:\d*$/, '');
    if (isLoopback(name) || known.has(name) || known.has(name.replace(/^\[|\]$/g, '')) || known.has(given.toLowerCase())) return null;
    return new HttpFailure(421, { error: 'Host not known', code: 'host_refused', message: `This service is not ${given.slice(0, 200)}: RACELINE_ALLOWED_HOSTS lists its other names` });
  };
}
