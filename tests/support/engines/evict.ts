import { once } from 'node:events';
import { createConnection } from 'node:net';
import kafkajs, { type GroupDescription } from 'kafkajs';
import { createClient } from '../../../src/adapters/kafka/client.ts';
import { kafkaConfig, quietLogger } from './kafka-client.ts';

/** Partitions of one topic by the member that holds them, as the broker knows it. */
export type Members = ReadonlyMap<string, readonly number[]>;

/** Who has which partitions in a group at rest; empty while it rebalances. */
export async function membersOf(broker: string, group: string, topic: string): Promise<Members> {
  const found = await describeGroup(broker, group);
  if (found?.state !== 'Stable') return new Map();
  return new Map(found.members.map(({ memberId, memberAssignment }) => [
    memberId, kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic] ?? [],
  ]));
}

/** Everybody whom the broker takes for a member, dead or alive. */
export async function allMembers(broker: string, group: string): Promise<string[]> {
  return (await describeGroup(broker, group))?.members.map(({ memberId }) => memberId) ?? [];
}

async function describeGroup(broker: string, group: string): Promise<GroupDescription | undefined> {
  const admin = createClient(kafkaConfig([broker]), 'test-members', quietLogger).admin();
  await admin.connect();
  try {
    return (await admin.describeGroups([group])).groups[0];
  } finally {
    await admin.disconnect();
  }
}

const LEAVE_GROUP = 13;
const VERSION = 3;
/** The member is gone already: what was wanted. */
const UNKNOWN_MEMBER_ID = 25;

/**
 * Takes dead members out of a group, as the broker itself does once their session has run out (30 s later). Speaks
 * Kafka's LeaveGroup, version 3, since no client offers it for another's member id. The broker must be the only one.
 */
export async function evict(broker: string, group: string, memberIds: readonly string[]): Promise<void> {
  if (memberIds.length === 0) return;
  const body = Buffer.concat([
    int16(LEAVE_GROUP), int16(VERSION), int32(1), text('test-evict'),
    text(group), int32(memberIds.length), ...memberIds.flatMap((memberId) => [text(memberId), int16(-1)]),
  ]);
  const [host, port] = broker.split(':');
  const socket = createConnection(Number(port), host);
  try {
    await once(socket, 'connect');
    socket.write(Buffer.concat([int32(body.length), body]));
    // Length, correlation id, throttle time, error code.
    const answer = await read(socket, 14);
    const error = answer.readInt16BE(12);
    if (error !== 0 && error !== UNKNOWN_MEMBER_ID) throw new Error(`LeaveGroup of ${group} ended with error code ${error}`);
  } finally {
    socket.destroy();
  }
}

async function read(socket: AsyncIterable<Buffer>, bytes: number): Promise<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk]);
    if (held.length >= bytes) return held;
  }
  throw new Error(`The broker closed the connection after ${held.length} bytes`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
