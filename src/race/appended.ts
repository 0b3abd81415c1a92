/** A list with one more behind it. Neither `push` on a copy, which makes room for many more, nor `concat`, which takes three times as long. */
export function appended<T>(list: readonly T[], item: T): T[] {
  return list.toSpliced(list.length, 0, item);
}
