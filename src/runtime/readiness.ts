import type { RoleName } from '../../topology/topology.ts';

export type ReadinessReport = { readonly ready: boolean; readonly roles: Record<string, string> };

export type Readiness = {
  running(role: RoleName): void;
  /** The role cannot run here, and that does not keep the others from serving. */
  unavailable(role: RoleName, why: string): void;
  stopping(): void;
  report(): ReadinessReport;
};

/** Which roles run: /readyz answers 200 once each of them does, and no longer when the service stops. */
export function createReadiness(roles: readonly RoleName[]): Readiness {
  const states = new Map<RoleName, string>(roles.map((role) => [role, 'starting']));
  const settled = (state: string): boolean => state === 'running' || state.startsWith('unavailable');
  return {
    running(role) {
      states.set(role, 'running');
    },
    unavailable(role, why) {
      states.set(role, `unavailable: ${why}`);
    },
    stopping() {
      for (const role of roles) states.set(role, 'stopping');
    },
    report() {
      return { ready: [...states.values()].every(settled), roles: Object.fromEntries(states) };
    },
  };
}
