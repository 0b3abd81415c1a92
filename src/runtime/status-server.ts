import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '../errors.ts';
import type { ReadinessReport } from './readiness.ts';

export type StatusServerOptions = {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly ready: () => ReadinessReport;
  readonly metricsText: () => Promise<string>;
};

export type StatusServer = {
  /** `http://host:port`. */
  readonly address: string;
  close(): Promise<void>;
};

/**
 * /healthz, /readyz and /metrics for an instance without a gateway, as the gateway answers them: probes and Prometheus
 * need them everywhere. Rejects with `config_invalid` where the port is taken.
 */
export async function startStatusServer({ host, port, ready, metricsText }: StatusServerOptions): Promise<StatusServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, { status: 'method not allowed' });
    if (path === '/healthz') return answer(response, 200, { status: 'ok' });
    if (path === '/readyz') {
      const report = ready();
      return answer(response, report.ready ? 200 : 503, report);
    }
    if (path === '/metrics') {
      metricsText().then(
        (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
        () => answer(response, 500, { status: 'the metrics could not be read' }),
      );
      return;
    }
    answer(response, 404, { status: 'this instance has no gateway: only /healthz, /readyz and /metrics' });
  });
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    throw new AppError('config_invalid', `Cannot answer health checks on ${host}:${port}: set RACELINE_PORT to a free one`, { cause: error });
  }
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
