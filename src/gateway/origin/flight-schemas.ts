import { Type } from 'typebox';

// Parts of the bodies of /api, the API that dashboards of flights know.

export const phases = ['pre_departure', 'in_flight', 'post_arrival'] as const;
export const PhaseName = Type.Enum([...phases]);
export const EtaMode = Type.Enum(['anticipated', 'estimated'], { description: 'What ETAs rest on: the plan until the departure, then where the vehicle is' });

export const textOrNull = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description });
export const instantOrNull = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });

/** Which vehicle is meant, where there may be many. */
export const VehicleParams = {
  race_id: Type.Optional(Type.String({ maxLength: 200, description: 'The vehicle; default: of those on the route, or of all, the one under way that was heard last' })),
  route_id: Type.Optional(Type.String({ maxLength: 200, description: 'The route; default: that of the vehicle' })),
};
