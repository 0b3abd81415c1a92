import type { App } from './app.ts';

export type KnownRoutes = {
  /** Methods that some route takes at this path, sorted; empty where there is none. */
  methodsAt(path: string): readonly string[];
};

/** Remembers the routes that are added from now on: whoever asks by the wrong method is told the right one. */
export function knownRoutes(app: App): KnownRoutes {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    // The preflights' route is at every path.
    if (url !== '/*') routes.push({ pattern: patternOf(url), methods: [method].flat() });
  });
  return {
    methodsAt: (path) => [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].sort(),
  };
}

function patternOf(url: string): RegExp {
  const text = url.replace(/[.+?^${}|[\]\\]/g, '\\$&').replace(/:\w+(?:\([^)]*\))?/g, '[^/]+').replaceAll('*', '.*');
  return new RegExp(`^${text}$`);
}
