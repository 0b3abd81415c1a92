import { useEffect, useState } from 'preact/hooks';

/** Where the page is; everything after the # of its address, so that a link leads back here. */
export type Route =
  | { readonly page: 'live'; readonly search: URLSearchParams }
  | { readonly page: 'race'; readonly raceId: string }
  | { readonly page: 'source'; readonly source: string }
  | { readonly page: 'history'; readonly search: URLSearchParams }
  | { readonly page: 'journeys'; readonly search: URLSearchParams }
  | { readonly page: 'journey'; readonly raceId: string }
  | { readonly page: 'rebuilds' }
  | { readonly page: 'health' }
  | { readonly page: 'unknown'; readonly path: string };

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [name = '', ...rest] = path.split('/');
  const id = decode(rest.join('/'));
  const search = new URLSearchParams(query);
  if (name === '' || name === 'live') return { page: 'live', search };
  if (name === 'race' && id !== '') return { page: 'race', raceId: id };
  if (name === 'source' && id !== '') return { page: 'source', source: id };
  if (name === 'history') return { page: 'history', search };
  if (name === 'journeys') return { page: 'journeys', search };
  if (name === 'journey' && id !== '') return { page: 'journey', raceId: id };
  if (name === 'rebuilds') return { page: 'rebuilds' };
  if (name === 'health') return { page: 'health' };
  return { page: 'unknown', path };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function raceLink(raceId: string): string {
  return `#/race/${encodeURIComponent(raceId)}`;
}

export function journeyLink(raceId: string): string {
  return `#/journey/${encodeURIComponent(raceId)}`;
}

export function sourceLink(source: string): string {
  return `#/source/${encodeURIComponent(source)}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const take = (): void => setRoute(routeOf(location.hash));
    addEventListener('hashchange', take);
    return () => removeEventListener('hashchange', take);
  }, []);
  return route;
}

/** Changes the query of the present page without a new entry in the browser's history. */
export function replaceSearch(page: string, search: URLSearchParams): void {
  const query = search.toString();
  history.replaceState(null, '', `#/${page}${query === '' ? '' : `?${query}`}`);
}
