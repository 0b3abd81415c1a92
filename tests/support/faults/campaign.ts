import { expect } from 'vitest';
import { feed, makeLoad, MARKER_SOURCE, markers, type Load, type LoadOptions } from '../load.ts';
import { query } from '../service.ts';
import { waitUntil } from '../wait-until.ts';
import { audit, emptyLedger, enter, type Ledger } from './audit.ts';
import { isLong, report } from './report.ts';

export type CampaignOptions = {
  /** Of a gateway that is there, or comes back, at this address all along. */
  readonly url: () => string;
  readonly partitions: number;
  /** Records in race-updates, all partitions; null = the log cannot be asked beside the service. */
  readonly endOffset: (() => Promise<number>) | null;
  /** How long recovery may take at most, ms. */
  readonly patienceMs?: number;
};

export type During = {
  readonly ledger: Ledger;
  /** Submits a race on each partition and waits for their ETAs; resolves with the ms that took. */
  etaOfNewRaces(): Promise<number>;
};

export type Fault = {
  /** What is done. */
  readonly name: string;
  /** Does it, while a load is sent; resolves with what was seen when the cause is gone and things may become normal. */
  readonly act: (during: During) => Promise<string>;
  readonly load?: Partial<Pick<LoadOptions, 'historyRaces' | 'liveRaces' | 'liveDurationMs' | 'liveSpanMs'>>;
  /** Processes that hold partitions are killed or stopped. */
  readonly crashes?: boolean;
  /** Share of the load that is stored before it begins; default 0.15. */
  readonly after?: number;
};

export type Endured = { readonly etaMs: number; readonly historyMs: number; readonly seen: string };

export type Campaign = {
  /**
   * Does something to a service under load, waits until it is normal, and holds ClickHouse against all that was sent
   * since the campaign began. Fails the test unless nothing is lost and nothing is there twice.
   */
  endure(fault: Fault): Promise<Endured>;
};

const LOAD = isLong ? { historyRaces: 40, liveRaces: 40, liveDurationMs: 1_500, liveSpanMs: 2_500 } : { historyRaces: 40, liveRaces: 40, liveDurationMs: 800, liveSpanMs: 1_800 };
let seed = 1_000;
let probed = 0;

/** Faults one after another on one service, which began with empty engines. */
export function openCampaign({ url, partitions, endOffset, patienceMs = 60_000 }: CampaignOptions): Campaign {
  const ledger = emptyLedger();
  let crashed = false;

  async function send(load: Load, onStored?: (stored: number) => void): Promise<void> {
    enter(ledger, load, await feed(load, { url, repeatEvery: 7, patienceMs, ...(onStored === undefined ? {} : { onStored }) }));
  }

  async function endure({ name, act, load: wanted, after = 0.15, crashes = false }: Fault): Promise<Endured> {
    seed += 1;
    const load = makeLoad({ ...LOAD, ...wanted, seed, nowMs: Date.now() });
    let stored = 0;
    const feeding = send(load, (count) => { stored = count; });
    const acting = (async () => {
      await waitUntil(`the first updates of "${name}" are stored`, () => stored >= after * load.items.length, patienceMs);
      const seen = await act({ ledger, etaOfNewRaces });
      const endedAtMs = performance.now();
      const etaMs = await etaOfNewRaces();
      await areInHistory(`probe-${probed - 1}-`);
      return { seen, etaMs, historyMs: performance.now() - endedAtMs };
    })();
    const [{ seen, etaMs, historyMs }] = await Promise.all([acting, feeding]);
    await send(markers(partitions, Date.now(), `marker-${seed}`));
    await settle(name);
    crashed ||= crashes;
    const { problems, lost, doubled, recounted } = await audit(url(), ledger, { partitions, endOffset: endOffset === null ? null : await endOffset(), crashes: crashed });
    report({ fault: name, seen, etaMs, historyMs, audit: `${ledger.updates} updates of ${ledger.told.size} races: ${lost} lost, ${doubled} twice${problems.length === 0 ? '' : ` - ${problems.join('; ')}`}${recounted > 0 ? ` (${recounted} with a revision more or less after a replay)` : ''}` });
    expect(problems, name).toEqual([]);
    return { seen, etaMs, historyMs };
  }

  async function etaOfNewRaces(): Promise<number> {
    const startedAtMs = performance.now();
    const probes = markers(partitions, Date.now(), `probe-${probed++}`);
    await send(probes);
    await waitUntil('new updates have their ETA', async () => {
      const answer = await fetch(`${url()}/v1/races?source=${MARKER_SOURCE}&limit=10000`);
      const { races } = await answer.json() as { races: { race_id: string; eta: object | null }[] };
      return races.filter((race) => probes.endings.has(race.race_id) && race.eta !== null).length === probes.endings.size;
    }, patienceMs);
    return performance.now() - startedAtMs;
  }

  async function areInHistory(idPrefix: string): Promise<void> {
    await waitUntil('new races are in ClickHouse', async () => {
      const [row] = await query<{ n: string }>(url(), `SELECT uniqExact(race_id) AS n FROM races WHERE startsWith(race_id, '${idPrefix}')`);
      return Number(row?.n) === partitions;
    }, patienceMs);
  }

  /** Everything that came before the last markers is in ClickHouse. What still is not after the deadline, the audit names. */
  async function settle(name: string): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const [row] = await query<{ races: string; revised: string; audited: string }>(url(), `SELECT
        (SELECT uniqExact(race_id) FROM races) AS races,
        (SELECT uniqExact(partition) FROM eta_revisions WHERE startsWith(race_id, 'marker-${seed}-') AND state = 'passed') AS revised,
        (SELECT count() FROM v_audit AS totals JOIN (SELECT origin_partition, max(origin_offset) AS marked FROM races WHERE startsWith(race_id, 'marker-${seed}-') GROUP BY origin_partition) AS marks
          ON totals.input_partition = marks.origin_partition WHERE totals.applied_offset >= marked) AS audited`);
      return Number(row?.races) >= ledger.told.size && Number(row?.revised) === partitions && Number(row?.audited) === partitions;
    };
    await waitUntil(`all of "${name}" is in ClickHouse`, settled, patienceMs).catch(() => undefined);
  }

  return { endure };
}
