import { testSeeds } from '../support/simulation/seeds.ts';

// Clocks jump and are a day off: races are given up and expire at any time, on one instance and not on the next.
testSeeds('clocks', ['deaths', 'stops', 'refused', 'unknown', 'skipped', 'abandoned', 'expired']);
