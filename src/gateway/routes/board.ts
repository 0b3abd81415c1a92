import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { App } from '../app.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
};

/** Where Vite puts the board (npm run board). */
const BUILT = fileURLToPath(new URL('../../board/dist', import.meta.url));

/**
 * The board at /, from memory: some 140 KB. Open to everybody, since it holds no data: what it shows it asks for, with a
 * token where one is needed.
 */
export function boardRoutes(app: App, { pagePolicy, folder = BUILT }: { readonly pagePolicy: string; readonly folder?: string }): void {
  const open = { config: { scope: 'none' as const }, schema: { hide: true } };
  const files = filesOf(folder);
  if (files.length === 0) {
    app.get('/', open, async (_request, reply) => {
      void reply.code(503).type('text/plain; charset=utf-8');
      return 'The board is not built: npm run board does it, npm start by itself. The API is described at /docs.\n';
    });
    return;
  }
  for (const name of files) {
    const type = contentTypes[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(join(folder, name));
    const zipped = gzipSync(bytes);
    const isPage = name === 'index.html';
    // Names below assets/ change with their content.
    const cacheControl = name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    app.get(isPage ? '/' : `/${name}`, open, async (request, reply) => {
      const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
      void reply.type(type).headers({ 'cache-control': cacheControl, vary: 'accept-encoding', ...(takesGzip ? { 'content-encoding': 'gzip' } : {}), ...(isPage ? { 'content-security-policy': pagePolicy } : {}) });
      return takesGzip ? zipped : bytes;
    });
  }
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.split(sep).join('/')).filter((name) => extname(name) !== '');
  } catch {
    return [];
  }
}
