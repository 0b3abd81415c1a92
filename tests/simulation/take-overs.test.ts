import { testSeeds } from '../support/simulation/seeds.ts';

// Partitions move while their old owner does not know it yet, and its sends arrive after the new owner has restored.
testSeeds('take-overs', ['deaths', 'stops', 'stale', 'refused', 'unknown', 'skipped']);
