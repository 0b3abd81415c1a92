import { testSeeds } from '../support/simulation/seeds.ts';

// Vehicles beside the races: their positions come late, twice, out of order, broken and misplaced, before their race is known, and who follows
// them dies or gives its partitions away. Ten times the events of another kind.
testSeeds('journeys', ['deaths', 'stops', 'positions', 'followed', 'positionsLate', 'positionsRejected', 'positionsRerouted', 'positionsSkipped', 'toldAgain'], 60);
