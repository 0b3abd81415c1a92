const LABEL = /Time Over Waypoint:\s*(\d{4})-(\d{2})-(\d{2})\s+(\d{2}):(\d{2}):(\d{2})Z/;

/** The first "Time Over Waypoint: YYYY-MM-DD HH:MM:SSZ" of a text, epoch ms: UTC, as its Z says; null = none, or no such instant. */
export function timeOverWaypoint(text: string): number | null {
  const found = LABEL.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [number, number, number, number, number, number];
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC carries over what is out of range: 32 January would be 1 February.
  return new Date(atMs).toISOString().slice(0, 19) === `${found[1]}-${found[2]}-${found[3]}T${found[4]}:${found[5]}:${found[6]}` ? atMs : null;
}
