/** What the OpenAPI document says of the service as a whole; its paths come from the routes. */
export const openApiInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Raceline',
    description: 'Live ETAs for everything that runs. Live streams are described in asyncapi.yaml.',
    version: '1',
  },
  components: {
    securitySchemes: {
      token: { type: 'http' as const, scheme: 'bearer', description: 'Where RACELINE_TOKENS_FILE is set. As the password of Basic too' },
    },
  },
  security: [{}, { token: [] }],
  tags: [
    { name: 'v1', description: 'Races, updates, history and SQL in our own names' },
    { name: 'compatible', description: 'The API of the origin, for its clients' },
    { name: 'service', description: 'Health, readiness and metrics' },
  ],
};

/** Where a body may be left out: @fastify/swagger says of every one that it is required. */
const optionalBodies = ['/rebuild/trigger', '/rollout/enable_all', '/api/flight-status/depart', '/api/flight-status/arrive'];

type Paths = { readonly paths?: Readonly<Record<string, unknown>> };

/** The document with those bodies as they are, in place. */
export function withOptionalBodies<Document extends Paths>(document: Document): Document {
  for (const path of optionalBodies) {
    const item = document.paths?.[path] as { readonly post?: { readonly requestBody?: { required?: boolean } } } | undefined;
    if (item?.post?.requestBody !== undefined) item.post.requestBody.required = false;
  }
  return document;
}
