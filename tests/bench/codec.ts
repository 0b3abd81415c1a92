import { readFileSync } from 'node:fs';
import avro, { type Type } from 'avsc';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import type { TopicName } from '../../topology/topics.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { graphDriver } from '../support/graph-driver.ts';
import { rounded, type Figure } from './bench.ts';

const RACES = 300;
const ROUNDS = 5;

type Case = { readonly topic: TopicName; readonly schema: string; readonly kind: string; readonly values: readonly unknown[] };

/** Our codec against bare avsc with the same schemas, on values of the standard mix. */
export async function codec(): Promise<Figure[]> {
  const startMs = Date.now() - 3_000_000;
  const driver = await graphDriver({ nowMs: startMs });
  const updates = fleetUpdates({ seed: 8, races: RACES, startMs, spacingMs: 1_000, durationMs: 300_000 });
  const etas: EtaUpdate[] = [];
  for (const update of updates) {
    driver.nowMs = update.at;
    etas.push(...driver.send(update).etas.map(({ eta }) => eta));
  }
  const cases: readonly Case[] = [
    { topic: 'race-updates', schema: 'race-update', kind: 'RaceUpdate', values: updates },
    { topic: 'eta-updates', schema: 'eta-update', kind: 'EtaUpdate', values: etas },
    { topic: 'race-states', schema: 'race-state', kind: 'RaceState', values: [...driver.store.values()] },
  ];
  return cases.flatMap(({ topic, schema, kind, values }) => {
    const type = recordType(schema, kind);
    const written = values.map((value) => driver.codec.encode(topic, value, kind));
    const bare = values.map((value) => type.toBuffer(value));
    const rates = {
      encode: rate(values, (value) => driver.codec.encode(topic, value, kind)), bareEncode: rate(values, (value) => type.toBuffer(value)),
      decode: rate(written, (bytes) => driver.codec.decode(topic, bytes)), bareDecode: rate(bare, (bytes) => type.fromBuffer(bytes)),
    };
    const name = schema.replace('-', '_');
    return [
      { name: `${name}_encode_per_sec`, value: Math.round(rates.encode), says: `${Math.round(written.reduce((sum, { length }) => sum + length, 0) / written.length)} bytes on average` },
      { name: `${name}_encode_ratio_to_bare`, value: rounded(rates.encode / rates.bareEncode), says: 'over avsc toBuffer' },
      { name: `${name}_decode_per_sec`, value: Math.round(rates.decode), says: '' },
      { name: `${name}_decode_ratio_to_bare`, value: rounded(rates.decode / rates.bareDecode), says: 'over avsc fromBuffer' },
    ];
  });
}

function recordType(schema: string, kind: string): Type {
  const parsed = JSON.parse(readFileSync(new URL(`../../schemas/avro/${schema}.avsc`, import.meta.url), 'utf8')) as { name: string } | { name: string }[];
  const record = Array.isArray(parsed) ? parsed.find(({ name }) => name === kind) : parsed;
  return avro.Type.forSchema(record as never);
}

/** Per second, the best of some rounds, the first one warming up. */
function rate<T>(values: readonly T[], work: (value: T) => unknown): number {
  let best = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const startedAtMs = performance.now();
    for (const value of values) work(value);
    best = Math.max(best, (values.length * 1_000) / (performance.now() - startedAtMs));
  }
  return best;
}
