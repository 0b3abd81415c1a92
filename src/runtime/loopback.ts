import { isIP } from 'node:net';

/** An address of this machine that no other can reach. Names other than localhost are not looked up. */
export function isLoopback(address: string): boolean {
  const plain = address.toLowerCase().replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
  if (plain === 'localhost' || plain.endsWith('.localhost')) return true;
  return isIP(plain) === 4 ? plain.startsWith('127.') : plain === '::1';
}
