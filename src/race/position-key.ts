const PREFIX = '__partition/';

/** Key of a partition's totals in race-states. Race ids may not begin like it. */
export function positionKey(partition: number): string {
  return `${PREFIX}${partition}`;
}

export function isPositionKey(key: string): boolean {
  return key.startsWith(PREFIX);
}
