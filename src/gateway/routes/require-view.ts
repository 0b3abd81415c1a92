import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';

/** Answers 503 until the live view has been restored: until then nobody knows which races there are. */
export function requireView(context: Pick<GatewayContext, 'view'>): () => Promise<void> {
  return async () => {
    if (!context.view.isRestored()) throw failure('not_ready', 'The live view is still being restored from the log');
  };
}

/** The same for vehicles: races, journeys and routes. */
export function requireVehicles(context: Pick<GatewayContext, 'view' | 'journeys' | 'routes'>): () => Promise<void> {
  const races = requireView(context);
  return async () => {
    await races();
    if (!context.journeys.isCaughtUp() || !context.routes.isCaughtUp()) throw failure('not_ready', 'Journeys are still being read from the log');
  };
}
