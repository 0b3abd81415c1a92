// npm run bench [-- NAME... --json FILE]: prints figures, each beside that of a peer measured in the same run.
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { openSetting, type Bench, type Figure } from './bench.ts';
import { board } from './board.ts';
import { clusters } from './clusters.ts';
import { codec } from './codec.ts';
import { fanout } from './fanout.ts';
import { forecast } from './forecast.ts';
import { historian } from './historian.ts';
import { http } from './http.ts';
import { instances } from './instances.ts';
import { journeys } from './journeys.ts';
import { latency } from './latency.ts';
import { log } from './log.ts';
import { memory } from './memory.ts';
import { pipeline } from './pipeline.ts';
import { rebuild } from './rebuild.ts';
import { restart } from './restart.ts';
import { throughput } from './throughput.ts';

const benches: Readonly<Record<string, Bench>> = { pipeline, throughput, latency, memory, restart, forecast, log, codec, historian, http, instances, clusters, rebuild, fanout, board, journeys };
/** `pipeline` holds their figures. */
const parts: ReadonlySet<string> = new Set(['throughput', 'latency', 'memory', 'restart']);

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !parts.has(name));
const unknown = names.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}: there are ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;
console.log(`${machine}, ${new Date().toISOString().slice(0, 10)}`);
const results: Record<string, Record<string, number>> = {};
const setting = openSetting();
try {
  for (const name of names) {
    const startedAtMs = performance.now();
    const figures = await benches[name]!(setting);
    print(name, figures, performance.now() - startedAtMs);
    results[name] = Object.fromEntries(figures.map((figure) => [figure.name, figure.value]));
  }
} finally {
  await setting.close();
}
if (values.json !== undefined) {
  const [only] = names;
  const figures = names.length === 1 && only !== undefined ? results[only] : results;
  writeFileSync(values.json, `${JSON.stringify({ machine, at: new Date().toISOString(), ...figures }, null, 2)}\n`);
}

function print(name: string, figures: readonly Figure[], elapsedMs: number): void {
  console.log(`\n${name} (${(elapsedMs / 1_000).toFixed(0)} s)`);
  for (const figure of figures) console.log(`  ${figure.name.padEnd(34)}${figure.value.toLocaleString('en-US', { maximumFractionDigits: 3 }).padStart(12)}  ${figure.says}`);
}
