import type { Kafka, Message } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { openProducerLane, type PendingAppend } from '../../../../src/adapters/kafka/producer-lane.ts';
import { silentLogger } from '../../../support/silent-logger.ts';


type Sent = { readonly producer: number; readonly partition: number | undefined; readonly values: readonly string[] };
type Answer = (sent: Sent) => unknown;

/** kafkajs as far as a lane uses it: each send gets the next answer, which throws, or gives the result; the last one stays. */
function vendor(answers: readonly Answer[]) {
  const sent: Sent[] = [];
  let producers = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  const kafka = {
    producer() {
      const producer = (producers += 1);
      return {
        connect: async () => {},
        disconnect: async () => {},
        async send({ messages }: { messages: Message[] }) {
          const one = { producer, partition: messages[0]?.partition, values: messages.map((message) => String(message.value)) };
          const answer = answers[Math.min(sent.length, answers.length - 1)]!;
          sent.push(one);
          inFlight += 1;
          mostInFlight = Math.max(mostInFlight, inFlight);
          await new Promise((resolve) => { setImmediate(resolve); });
          inFlight -= 1;
          return answer(one);
        },
      };
    },
  };
  return { kafka: kafka as unknown as Kafka, sent, mostInFlight: () => mostInFlight };
}

const stored = (baseOffset: string): Answer => ({ partition }) => [{ topicName: 't', partition, errorCode: 0, baseOffset }];
const failing = (type: string): Answer => () => { throw Object.assign(new Error(type), { type }); };

function append(lane: { push(append: PendingAppend): void }, partition: number, value: string, bytes = value.length): Promise<number> {
  return new Promise((resolve, reject) => {
    lane.push({ topic: 't', partition, records: [{ key: null, value: Buffer.from(value) }], bytes, sinceMs: Date.now(), resolve, reject });
  });
}

function openLane(answers: readonly Answer[], nowMs: () => number = () => Date.now()) {
  const faked = vendor(answers);
  return { ...faked, lane: openProducerLane({ kafka: faked.kafka, logger: silentLogger, clock: { nowMs } }) };
}

describe('openProducerLane()', () => {
  it('merges what waits for one partition and never has two sends in flight', async () => {
    const { lane, sent, mostInFlight } = openLane([stored('0'), stored('10')]);
    const offsets = await Promise.all([append(lane, 0, 'a'), append(lane, 1, 'x'), append(lane, 0, 'b'), append(lane, 0, 'c')]);
    expect(sent.map((one) => [one.partition, one.values])).toEqual([[0, ['a', 'b', 'c']], [1, ['x']]]);
    expect(offsets).toEqual([0, 10, 1, 2]);
    expect(mostInFlight()).toBe(1);
  });

  it('splits between appends, never within one, and keeps their order', async () => {
    const { lane, sent } = openLane([stored('0')]);
    await Promise.all([append(lane, 0, 'a', 300_000), append(lane, 0, 'b', 300_000), append(lane, 0, 'c', 100_000)]);
    expect(sent.map((one) => one.values)).toEqual([['a'], ['b', 'c']]);
  });

  it('repeats a failed try with the same producer, and with the same records even when more have come', async () => {
    const { lane, sent } = openLane([failing('REQUEST_TIMED_OUT'), stored('7')]);
    const first = append(lane, 0, 'a');
    await new Promise((resolve) => { setImmediate(resolve); });
    const second = append(lane, 0, 'b');
    expect(await first).toBe(7);
    await second;
    expect(sent.map((one) => [one.producer, one.values])).toEqual([[1, ['a']], [1, ['a']], [1, ['b']]]);
  });

  it.each(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'DUPLICATE_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'])('sends again by another producer after %s', async (type) => {
    const { lane, sent } = openLane([failing(type), stored('3')]);
    expect(await append(lane, 0, 'a')).toBe(3);
    expect(sent.map((one) => one.producer)).toEqual([1, 2]);
  });

  it('takes an answer that does not name the partition for a failure', async () => {
    const { lane, sent } = openLane([() => [{ topicName: 't', partition: 5, errorCode: 0, baseOffset: '1' }], () => [], stored('2')]);
    expect(await append(lane, 0, 'a')).toBe(2);
    expect(sent).toHaveLength(3);
  });

  it('refuses what the broker finds too large, at once, and goes on', async () => {
    const { lane, sent } = openLane([failing('MESSAGE_TOO_LARGE'), stored('0')]);
    await expect(append(lane, 0, 'a')).rejects.toMatchObject({ code: 'record_too_large' });
    expect(await append(lane, 0, 'b')).toBe(0);
    expect(sent).toHaveLength(2);
  });

  it('gives up at the deadline and never uses that producer again', async () => {
    let nowMs = Date.now();
    const { lane, sent } = openLane([() => {
      nowMs += 46_000;
      throw Object.assign(new Error('timed out'), { type: 'REQUEST_TIMED_OUT' });
    }, stored('0')], () => nowMs);
    await expect(append(lane, 0, 'a')).rejects.toMatchObject({ code: 'log_unavailable' });
    nowMs = Date.now();
    expect(await append(lane, 0, 'b')).toBe(0);
    expect(sent.map((one) => one.producer)).toEqual([1, 2]);
  });

  it('close() waits for what is queued and refuses what comes later', async () => {
    const { lane } = openLane([stored('0'), stored('1')]);
    const queued = Promise.all([append(lane, 0, 'a'), append(lane, 1, 'b')]);
    await lane.close();
    expect(await queued).toEqual([0, 1]);
    await expect(append(lane, 0, 'c')).rejects.toMatchObject({ code: 'log_unavailable' });
  });
});
