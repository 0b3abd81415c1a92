import type { IncomingHttpHeaders } from 'node:http';
import { HttpFailure } from './failures.ts';

/**
 * Whether a request may come from where it says it comes from. Programs send no Origin; a browser's page does, and may
 * come from any site: only this host's own pages and the listed origins count (`*` = all).
 */
export function isOwnOrigin(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): boolean {
  const origin = headers.origin;
  if (origin === undefined) return true;
  if (allowedOrigins.includes('*') || allowedOrigins.includes(origin)) return true;
  const url = URL.parse(origin);
  return url !== null && url.host === headers.host;
}

/** Headers that let a page of an allowed foreign origin read the answer; null = none. */
export function crossOriginHeaders(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): Record<string, string> | null {
  const origin = headers.origin;
  if (origin === undefined || !(allowedOrigins.includes('*') || allowedOrigins.includes(origin))) return null;
  return {
    'access-control-allow-origin': origin,
    vary: 'Origin',
  };
}

export const preflightHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers': 'authorization, content-type',
  'access-control-max-age': '600',
};

export function originRefused(headers: IncomingHttpHeaders): HttpFailure {
  return new HttpFailure(403, { error: 'Origin not allowed', code: 'origin_refused', message: `Pages of ${String(headers.origin).slice(0, 200)} may not use this service` });
}
