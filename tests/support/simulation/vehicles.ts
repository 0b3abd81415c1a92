import type { RouteRecord } from '../../../src/journey/route.ts';
import { partitionOfKey } from '../../../src/race/partition.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { drive, lineOfStops, readyRoute } from '../journeys.ts';
import type { PlannedAppend, WorkloadOptions } from './workload.ts';

export const STOPS = 4;
const MPS = 50;
const EVERY_SEC = 8;

export type VehiclesOptions = Pick<WorkloadOptions, 'world' | 'partitions' | 'spreadMs' | 'noise'> & { readonly vehicles: number };

function vehicleId(index: number): string {
  return `vehicle-${index}`;
}

/** Vehicles on one line: the route, their races, and their positions with all that goes wrong on their way into the log. None is silent: each arrives. */
export function planVehicles({ world, partitions, spreadMs, noise, vehicles }: VehiclesOptions): PlannedAppend[] {
  if (vehicles === 0) return [];
  const record: RouteRecord = { ...lineOfStops('line', STOPS, 0), points: lineOfStops('line', STOPS, 0).points.map((point) => ({ ...point, planned_at: null })) };
  const route = readyRoute(record);
  const planned: PlannedAppend[] = [{ atMs: 0, topic: 'routes', partition: 0, encode: (codec) => ({ key: Buffer.from('line'), value: codec.encode('routes', record) }) }];
  for (let index = 0; index < vehicles; index++) {
    const key = Buffer.from(vehicleId(index));
    const home = partitionOfKey(key, partitions);
    const startMs = Math.round(world.between(5_000, 5_000 + spreadMs));
    const race = { ...emptyUpdate(vehicleId(index), 'city', 0), title: 'line', state: 'queued' as const, route_id: 'line' };
    // Its first position may come before its race.
    planned.push({ atMs: startMs + world.between(-2_000, 800), partition: home, encode: (codec, wallOffsetMs) => ({ key, value: codec.encode('race-updates', { ...race, at: wallOffsetMs + startMs - 2_000 }) }) });
    // It stands at its start until surely somebody follows it.
    const waits = Array.from({ length: 8 }, (_, i) => ({ ...drive(vehicleId(index), route, startMs + i * 7_000, MPS)[0]!, speed_mps: 0 }));
    const drives = drive(vehicleId(index), route, startMs + 60_000, MPS).filter((_, second) => second % EVERY_SEC === 0);
    const ends = Array.from({ length: 12 }, (_, i) => ({ ...drives.at(-1)!, at: drives.at(-1)!.at + (i + 1) * 5_000 }));
    for (const point of [...waits, ...drives, ...ends]) {
      const partition = world.chance(noise.misplaced) ? world.whole(0, partitions - 1) : home;
      const says = (broken: boolean): PlannedAppend => ({
        atMs: point.at + (world.chance(noise.late) ? world.between(0, 12_000) : 0), topic: 'telemetry', partition,
        encode: (codec, wallOffsetMs) => ({ key, value: codec.encode('telemetry', { ...point, at: Math.round(point.at + wallOffsetMs), ...(broken ? { lat: 91 } : {}) }) }),
      });
      planned.push(says(false));
      if (world.chance(noise.twice)) planned.push(says(false));
      if (world.chance(noise.broken)) planned.push(says(true));
    }
  }
  return planned;
}
