import { readdirSync, readFileSync } from 'node:fs';

/** One request of a client of the raceboard API and its answer there, as a proxy between them recorded them. */
export type RecordedRequest = {
  readonly number: number;
  /** When it was sent, epoch ms. */
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  /** As it was sent. */
  readonly body: string | undefined;
  readonly status: number;
  /** JSON where it was JSON. */
  readonly answer: unknown;
};

const directory = new URL('../fixtures/raceboard/', import.meta.url);

export function recordedClients(): Map<string, readonly RecordedRequest[]> {
  const clients = new Map<string, readonly RecordedRequest[]>();
  for (const file of readdirSync(directory).sort()) {
    const name = /^client-(\w+)\.http\.txt$/.exec(file)?.[1];
    if (name !== undefined) clients.set(name, requestsOf(readFileSync(new URL(file, directory), 'utf8')));
  }
  return clients;
}

function requestsOf(text: string): RecordedRequest[] {
  const blocks = text.split(/^#(?=\d+ t=)/m).slice(1).map((block) => {
    const [head = '', ...lines] = block.split('\n');
    const [, number, sec, method, path] = /^(\d+) t=\+([\d.]+)s (\S+) (\S+)/.exec(head)!;
    const body = lines.find((line) => line.startsWith('  > '))?.slice(4) ?? '';
    const [, status, answer] = /^ {2}< (\d+) ?(.*)$/.exec(lines.find((line) => line.startsWith('  < '))!)!;
    return { number: Number(number), sinceMs: Number(sec) * 1_000, method: method!, path: path!, body: body.trim() === '' ? undefined : body, status: Number(status), answer: parsed(answer!) };
  });
  // The recording counts from its start; the first stamp that a client made says when that was.
  const stamped = blocks.flatMap(({ body, sinceMs }) => {
    const stamp = /"(?:registered_at|started_at)":"([^"]+)"/.exec(body ?? '')?.[1];
    return stamp === undefined ? [] : [Date.parse(stamp) - sinceMs];
  });
  return blocks.map(({ sinceMs, ...block }) => ({ ...block, atMs: Math.round(stamped[0]! + sinceMs) }));
}

/** A request that the origin was asked on purpose to get wrong, and what it made of it. */
export type RecordedError = { readonly name: string; readonly method: string; readonly path: string; readonly body: string | undefined; readonly status: number };

export function recordedErrors(): RecordedError[] {
  return readFileSync(new URL('errors.txt', directory), 'utf8').split(/^### /m).slice(1).map((block) => {
    const [name = '', ...lines] = block.split('\n');
    const sent = lines.filter((line) => line.startsWith('> ')).map((line) => line.slice(2));
    const [method = '', path = ''] = sent[0]!.split(' ');
    return { name: name.trim(), method, path, body: sent[1], status: Number(/^< HTTP (\d+)/m.exec(block)![1]) };
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
