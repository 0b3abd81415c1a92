import { isLoopback } from '../runtime/loopback.ts';
import type { App } from './app.ts';
import { HttpFailure } from './failures.ts';

/**
 * Refuses requests whose Host is not ours. A page of anywhere can let its own name resolve to 127.0.0.1 and is then of
 * the same origin as a service there (DNS rebinding): only the name in Host tells. So a gateway on a loopback address
 * takes loopback names and those that are listed; one that others can reach checks only when there is a list.
 */
export function requireKnownHost(app: App, { host, allowedHosts }: { readonly host: string; readonly allowedHosts: readonly string[] }): void {
  if (allowedHosts.includes('*') || (!isLoopback(host) && allowedHosts.length === 0)) return;
  const known = new Set([host, ...allowedHosts].map((name) => name.toLowerCase()));
  app.addHook('onRequest', async (request) => {
    const { host: given } = request.headers;
    // HTTP/1.0, which no browser speaks.
    if (given === undefined) return;
    const name = given.toLowerCase().replace(/:\d*$/, '');
    if (isLoopback(name) || known.has(name) || known.has(name.replace(/^\[|\]$/g, '')) || known.has(given.toLowerCase())) return;
    throw new HttpFailure(421, { error: 'Host not known', code: 'host_refused', message: `This service is not ${given.slice(0, 200)}: RACELINE_ALLOWED_HOSTS lists its other names` });
  });
}
