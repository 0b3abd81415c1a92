import type { RouteRecord } from './route.ts';

/** Why a route file was refused: the line, from 1, and a reason. */
export type FileRefusal = { readonly line: number; readonly reason: string };

/** A route file as read, or why not. */
export type RouteFile = { readonly route: RouteRecord } | { readonly refusal: FileRefusal };

export function refuseFile(line: number, reason: string): { readonly refusal: FileRefusal } {
  return { refusal: { line, reason } };
}

/** The line of the first place where a text holds a part of it, from 1; 1 where it does not. */
export function lineOf(text: string, part: string): number {
  const at = part === '' ? -1 : text.indexOf(part);
  return at < 0 ? 1 : text.slice(0, at).split('\n').length;
}
