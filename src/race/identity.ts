import { reject, type Rejection, type RejectionCode } from '../errors.ts';
import { isPositionKey } from './position-key.ts';
import { hasControl, isLonger, shown } from './text.ts';

const MAX_ID = 200;

/**
 * Why a value cannot be an id; null = it can: text of 1..200 characters, without control characters and lone surrogates, that does not
 * begin like our own keys. `missing` is the code for none at all, `invalid` for one that is out of bounds.
 */
export function refusalOfId(value: unknown, field: string, missing: RejectionCode, invalid: RejectionCode): Rejection | null {
  if (value == null || value === '') return reject(missing, `${field} must have 1..${MAX_ID} characters, got ${shown(value)}`);
  if (typeof value !== 'string') return reject('type_invalid', `${field} must be text, got ${shown(value)}`);
  if (isLonger(value, MAX_ID)) return reject(invalid, `${field} must have 1..${MAX_ID} characters, got ${shown(value)}`);
  if (hasControl(value) || !value.isWellFormed()) return reject(invalid, `${field} must not hold control characters or lone surrogates, got ${shown(value)}`);
  return isPositionKey(value) ? reject(invalid, `${field} must not begin like our own keys, got ${shown(value)}`) : null;
}
