import { createServer, type ServerResponse } from 'node:http';
import { messageOf } from '../errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { GatewayDeps } from './context.ts';
import type { Gateway } from './server.ts';

export type MonitorDeps = Pick<GatewayDeps, 'host' | 'port' | 'ready' | 'metricsText'> & { readonly logger: Logger };

/**
 * What an instance without a gateway serves: /healthz, /readyz and /metrics, so that it can be probed and scraped like
 * the others. Resolves when it listens.
 */
export async function startMonitor({ host, port, ready, metricsText, logger }: MonitorDeps): Promise<Gateway> {
  const routes: Record<string, (response: ServerResponse) => Promise<void> | void> = {
    '/healthz': (response) => answer(response, 200, 'application/json', JSON.stringify({ status: 'ok' })),
    '/readyz': (response) => {
      const report = ready();
      answer(response, report.ready ? 200 : 503, 'application/json', JSON.stringify(report));
    },
    '/metrics': async (response) => answer(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await metricsText()),
  };
  const server = createServer((request, response) => {
    const route = request.method === 'GET' ? routes[(request.url ?? '').split('?')[0] ?? ''] : undefined;
    if (route === undefined) {
      answer(response, 404, 'application/json', JSON.stringify({ code: 'not_found', message: 'This instance has no gateway: it serves GET /healthz, /readyz and /metrics' }));
      return;
    }
    Promise.resolve(route(response)).catch((error: unknown) => {
      logger.error({ error: messageOf(error) }, 'A monitoring request failed');
      answer(response, 500, 'application/json', JSON.stringify({ code: 'internal', message: 'The request failed inside the service' }));
    });
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    grpcPort: null,
    measuredJourneys: () => [],
    address: `http://${host.includes(':') ? `[${host}]` : host}:${typeof bound === 'object' && bound !== null ? bound.port : port}`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).end(body);
}
