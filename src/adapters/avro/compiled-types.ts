import type { Type, types } from 'avsc';

// What the compiled reader and the compiled writer hold alike.

/** Doubles are laid down as the machine has them. */
export const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** A union of null and one other: the other and the place of null, 0 or 1; null = another union, which is not compiled. */
export function nullableOf({ types: members }: types.UnwrappedUnionType): { readonly other: Type; readonly nullIndex: number } | null {
  const nullIndex = members.findIndex((one) => one.typeName === 'null');
  const other = members[1 - nullIndex];
  return members.length !== 2 || nullIndex < 0 || other === undefined ? null : { other, nullIndex };
}
