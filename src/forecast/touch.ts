/** The entry of a key, made when there is none; it becomes the newest, and the oldest beyond the limit leaves. */
export function touch<K, V>(map: Map<K, V>, key: K, limit: number, create: () => V): V {
  const value = map.get(key) ?? create();
  map.delete(key);
  map.set(key, value);
  if (map.size > limit) {
    const [oldest] = map.keys();
    map.delete(oldest!);
  }
  return value;
}
