import fastifyHelmet from '@fastify/helmet';
import fastify from 'fastify';

/** What an answer has without helmet. */
const usual: ReadonlySet<string> = new Set(['content-length', 'content-type', 'connection', 'date', 'keep-alive']);

/** The headers that helmet gives every answer, asked for once: it makes its middleware anew for each request. */
export async function securityHeaders(): Promise<[name: string, value: string][]> {
  const probe = fastify();
  await probe.register(fastifyHelmet, {
    // Plain HTTP on the inside: whoever puts TLS in front sets it there.
    strictTransportSecurity: false,
    // Only pages need one: they have theirs.
    contentSecurityPolicy: false,
  });
  probe.get('/', async () => '');
  const { headers } = await probe.inject('/');
  await probe.close();
  return Object.entries(headers).flatMap(([name, value]) => usual.has(name) || value === undefined ? [] : [[name, String(value)]]);
}
