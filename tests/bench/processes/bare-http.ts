// The peer of the gateway: node:http that parses a body, inserts it into SQLite and answers with JSON.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { childOptions, tellParent } from '../child.ts';

const database = new DatabaseSync(childOptions<{ path: string }>().path);
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE updates (id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT');
const insert = database.prepare('INSERT INTO updates (value) VALUES (?)');
const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => {
    const value = JSON.stringify(JSON.parse(body));
    insert.run(value);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(value) }).end(value);
  });
});
server.listen(0, '127.0.0.1', () => tellParent({ address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
process.once('disconnect', () => process.exit(0));
