import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { RecordLog } from '../ports/record-log.ts';
import type { RouteFile } from '../journey/route-file.ts';
import type { ClusterModels } from '../runtime/cluster-models.ts';
import type { DoctorReport } from '../runtime/doctor.ts';
import type { RunningRebuild } from '../runtime/rebuilder.ts';
import type { RouteStore } from '../runtime/route-store.ts';
import type { Appender } from './appender.ts';
import type { FirstEtas } from './live/first-eta.ts';
import type { MapTiles } from './journeys/map-tiles.ts';
import type { SeenJourneys } from './journeys/journeys.ts';
import type { PendingWrites } from './live/pending.ts';
import type { RouteEditor } from './journeys/route-editor.ts';
import type { Tokens } from './tokens.ts';
import type { RaceLiveView } from './live/view.ts';

/** Plain callbacks, for counters; they must not throw. */
type GatewayHooks = {
  /** `route` is the route's pattern (`/race/:id`), never a path with an id in it. */
  readonly onRequest?: (method: string, route: string, status: number, elapsedMs: number) => void;
  readonly onSocketOpen?: () => void;
  readonly onSocketClose?: () => void;
  readonly onSlowClose?: () => void;
};

type GatewayOptions = {
  /** Requests a second from one address that is not this machine; default 2,000, 0 = no limit. */
  readonly rateLimitPerSec?: number;
  /** Origins whose pages may use the service besides its own; default none, `*` = all. */
  readonly allowedOrigins?: readonly string[];
  /** Names that the service goes by, besides loopback ones and its host; default none, `*` = all. */
  readonly allowedHosts?: readonly string[];
  /** Who may do what; default: everybody everything. */
  readonly tokens?: Tokens;
  /** WebSocket and event-stream connections; default 12,000. */
  readonly maxConnections?: number;
  /** Refuses every change; default false. */
  readonly readOnly?: boolean;
  /** Other connections; default 4,096. */
  readonly maxHttpConnections?: number;
  /** What maps are drawn on; default null = nothing. */
  readonly mapTiles?: MapTiles | null;
};

export type GatewayDeps = {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Of gRPC; 0 = any free one, absent = there is none. */
  readonly grpcPort?: number;
  readonly log: RecordLog;
  readonly codec: Codec;
  /** null = no ClickHouse: history and SQL answer 503. */
  readonly history: HistoryStore | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ready: () => { readonly ready: boolean; readonly roles: Readonly<Record<string, string>> };
  readonly metricsText: () => Promise<string>;
  /** A route file of any kind that is known; `routeId` names a route that does not name itself. Never throws. */
  readonly readRouteFile: (routeId: string, text: string) => RouteFile;
  /** Where the embedded engines keep their files; default null = there are none here. */
  readonly dataDir?: string | null;
  /** Looks at the engines of this instance; absent = it cannot. */
  readonly examine?: () => Promise<DoctorReport>;
  /** Clusters of every source; absent = it reads them itself. */
  readonly clusterModels?: ClusterModels;
  /** Routes of vehicles; absent = it reads them itself. */
  readonly routes?: RouteStore;
  /** Rebuilds that run in this process. */
  readonly runningRebuilds?: () => readonly RunningRebuild[];
  /** null = the source with most races. */
  readonly pilotSource?: string | null;
  readonly hooks?: GatewayHooks;
  readonly options?: GatewayOptions;
};

/** What the routes share. */
export type GatewayContext = Pick<GatewayDeps, 'log' | 'codec' | 'history' | 'clock' | 'logger' | 'ready' | 'metricsText' | 'readRouteFile' | 'examine' | 'runningRebuilds' | 'pilotSource'> & {
  readonly clusterModels: ClusterModels;
  readonly view: RaceLiveView;
  readonly routes: RouteStore;
  readonly routeEditor: RouteEditor;
  readonly journeys: SeenJourneys;
  readonly pending: PendingWrites;
  readonly updates: Appender;
  readonly firstEtas: FirstEtas;
  /** Partitions of race-updates and telemetry. */
  readonly partitions: number;
  readonly dataDir: string | null;
  readonly readOnly: boolean;
  readonly mapTiles: MapTiles | null;
};
