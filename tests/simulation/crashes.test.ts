import { testSeeds } from '../support/simulation/seeds.ts';

// Instances die between any two effects, sends fail with and without being stored, the input topic is made anew.
testSeeds('crashes', ['deaths', 'stops', 'recreated', 'refused', 'unknown', 'skipped', 'late', 'duplicate', 'forgotten', 'rejected', 'rerouted']);
