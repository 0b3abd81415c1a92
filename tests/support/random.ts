export { seededRandom } from '../../src/cli/seeded-random.ts';
