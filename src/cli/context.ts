import { readFileSync } from 'node:fs';
import type { WebSocketLike } from '../bridge/client.ts';
import { AppError, messageOf } from '../errors.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Where a command writes; the process's own streams, or a test's. */
export type Output = {
  /** false = full: wait for `drain` before more. */
  write(text: string | Uint8Array): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
  once?(event: 'drain', listener: () => void): unknown;
};

/**
 * What every command gets. The environment is read once, in the launcher src/cli/raceline.mjs (for the service it is
 * src/main.ts), and handed down from there.
 */
export type CliContext = {
  readonly env: Env;
  readonly out: Output;
  readonly err: Output;
  /** Sets how the process ends: an exit code, or the signal to die by. The last call stands. */
  readonly finish: (outcome: Outcome) => void;
};

/** An exit code, or the signal by which the process shall end. */
export type Outcome = number | NodeJS.Signals;

/** Where the gateway is: `--server`, else from RACELINE_HOST and RACELINE_PORT. Without a slash at its end. */
export function serverUrl(env: Env, option: string | undefined): string {
  if (option !== undefined) {
    const url = URL.parse(option);
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      throw new AppError('config_invalid', `Cannot use the server "${option}": it must be an http or https URL`);
    }
    return option.replace(/\/+$/, '');
  }
  const host = env['RACELINE_HOST'] || '127.0.0.1';
  // A server bound to every address is reached over the loopback one.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${env['RACELINE_PORT'] || '7777'}`;
}

/** The WebSocket address of live ETAs on the same server. */
export function etasUrl(server: string): string {
  return `${server.replace(/^http/, 'ws')}/v1/etas`;
}

/** Headers of every request to the gateway: the token of RACELINE_TOKEN_FILE, if there is one. Throws `config_invalid`. */
export function serverHeaders(env: Env): Readonly<Record<string, string>> {
  const path = env['RACELINE_TOKEN_FILE'];
  if (path === undefined || path === '') return {};
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new AppError('config_invalid', `Cannot read the token of RACELINE_TOKEN_FILE ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new AppError('config_invalid', `Cannot use the token of RACELINE_TOKEN_FILE ${path}: it must be one word of printable ASCII`);
  return { authorization: `Bearer ${token}` };
}

/** A WebSocket that brings the token along: Node's takes headers, a browser's does not. */
export function etasSocket(env: Env): new (url: string) => WebSocketLike {
  const headers = serverHeaders(env);
  const Socket = globalThis.WebSocket as unknown as new (url: string, options: { readonly headers: Readonly<Record<string, string>> }) => WebSocketLike;
  return class extends Socket {
    constructor(url: string) {
      super(url, { headers });
    }
  };
}
