import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { AppError, messageOf } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';

/** `read` = what does not change anything, SQL too; `write` = races and updates; `admin` = everything. */
export type Scope = 'read' | 'write' | 'admin';

export type TokenGrant = { readonly name: string; readonly scopes: ReadonlySet<Scope> };

export type Tokens = {
  /** null = nobody has been given this token. Takes the same time whatever it is. */
  grantOf(token: string): TokenGrant | null;
};

type Entry = TokenGrant & { readonly hash: Buffer };

const scopeNames: readonly Scope[] = ['read', 'write', 'admin'];
/** How often the file is looked at again. */
const RELOAD_MS = 5_000;

/**
 * The tokens of a file: one a line, `scopes sha256 name`, where scopes is `read`, `write`, `admin` or several with commas,
 * and sha256 the hash of the token in hex, so that the file gives nobody access. `#` begins a comment line.
 * Throws `config_invalid` with the line.
 */
export function parseTokens(text: string, path: string): readonly Entry[] {
  const entries: Entry[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const [scopes = '', hash = '', ...name] = line.trim().split(/\s+/);
    const wrong = (why: string): AppError => new AppError('config_invalid', `Cannot use the tokens of ${path}: line ${index + 1} ${why}`);
    const granted = scopes.split(',').map((scope) => scopeNames.find((known) => known === scope) ?? null);
    if (granted.includes(null)) throw wrong(`must begin with scopes out of ${scopeNames.join(', ')}`);
    // Not the text itself: it may be a token that somebody forgot to hash.
    if (!/^[0-9a-f]{64}$/i.test(hash)) throw wrong('must have the SHA-256 of a token as 64 hex digits behind its scopes');
    if (name.length === 0) throw wrong('must end with a name');
    entries.push({ name: name.join(' '), scopes: new Set(granted as Scope[]), hash: Buffer.from(hash, 'hex') });
  }
  if (entries.length === 0) throw new AppError('config_invalid', `Cannot use the tokens of ${path}: it holds none, so nobody could ask anything`);
  return entries;
}

/**
 * Reads the file, and again when it has changed: a token can be taken back without a restart. A file that cannot be used
 * any more is logged and the tokens known before stand. Throws `config_invalid` when it cannot be used at first.
 */
export function openTokens({ path, clock, logger }: { readonly path: string; readonly clock: Clock; readonly logger: Logger }): Tokens {
  let entries = read(path);
  let stamp = stampOf(path);
  let lookedAtMs = clock.nowMs();

  const reload = (): void => {
    if (Math.abs(clock.nowMs() - lookedAtMs) < RELOAD_MS) return;
    lookedAtMs = clock.nowMs();
    try {
      const found = stampOf(path);
      if (found === stamp) return;
      entries = read(path);
      stamp = found;
      logger.info({ tokens: entries.map(({ name }) => name) }, 'Read the tokens again');
    } catch (error) {
      logger.error({ error: messageOf(error) }, 'The tokens cannot be read: those known before stand');
    }
  };

  return {
    grantOf(token) {
      reload();
      const hash = createHash('sha256').update(token).digest();
      let found: Entry | null = null;
      for (const entry of entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
      return found;
    },
  };
}

function read(path: string): readonly Entry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('config_invalid', `Cannot read the tokens of RACELINE_TOKENS_FILE ${path}: ${messageOf(error)}`, { cause: error });
  }
  return parseTokens(text, path);
}

function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}
