import { getJson } from './http.ts';
import { useQuery } from './use-query.ts';

// What /v1/journeys and /v1/routes say, as far as it is shown. Instants are epoch ms, lengths metres.

export type Phase = 'pre_departure' | 'in_flight' | 'post_arrival';

export type Journey = {
  readonly race_id: string;
  readonly source: string;
  readonly title: string;
  readonly route_id: string;
  readonly phase: Phase;
  readonly at: number;
  readonly lat: number;
  readonly lon: number;
  readonly speed_mps: number | null;
  readonly heading_deg: number | null;
  readonly along_m: number;
  readonly remaining_m: number | null;
  readonly off_m: number;
  readonly off_route: boolean;
  readonly leg: { readonly index: number; readonly from: string; readonly to: string; readonly fraction: number } | null;
  readonly delay_sec: number | null;
  readonly departed_at: number | null;
  readonly arrived_at: number | null;
  readonly eta_at: number | null;
  readonly p10_at: number | null;
  readonly p90_at: number | null;
};

export type Waypoint = {
  readonly index: number;
  readonly name: string;
  readonly lat: number;
  readonly lon: number;
  readonly along_m: number;
  readonly distance_m: number | null;
  readonly planned_at: number | null;
  readonly passed_at: number | null;
  readonly eta_at: number | null;
  readonly p10_at: number | null;
  readonly p90_at: number | null;
};

export type JourneyPoi = {
  readonly id: string;
  readonly name: string;
  readonly off_m: number;
  readonly status: 'ahead_on_route' | 'already_passed' | 'not_on_route' | 'pre_departure';
  readonly distance_m: number | null;
  readonly eta_at: number | null;
};

export type CourseStatus = 'on_course' | 'slightly_off' | 'off_track' | 'behind';

export type JourneyDetails = Journey & {
  readonly waypoints: readonly Waypoint[];
  /** null = the route is not known as it was followed. */
  readonly course: { readonly status: CourseStatus | null } | null;
  readonly pois: readonly JourneyPoi[];
};

export type TravelRoute = {
  readonly route_id: string;
  readonly name: string;
  readonly version: number;
  readonly length_m: number;
  readonly line: readonly (readonly number[])[];
  readonly pois: readonly { readonly id: string; readonly name: string; readonly lat: number; readonly lon: number }[];
};

/** Pictures of the ground, and whom they are from. */
export type MapTiles = { readonly tile_url: string; readonly attribution: string };

export function askRoute(routeId: string): Promise<TravelRoute> {
  return getJson<TravelRoute>(`/v1/routes/${encodeURIComponent(routeId)}`);
}

/** Where pictures of the ground come from; null = nowhere, or not known yet. */
export function useMapTiles(): MapTiles | null {
  return useQuery('map', () => getJson<{ tiles: MapTiles | null }>('/v1/map')).data?.tiles ?? null;
}
