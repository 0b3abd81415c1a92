import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { skipped } from './engines.ts';
import { run } from './run.ts';

export type Certificates = {
  readonly caFile: string;
  /** Key and certificate in one file, as a broker takes them. */
  readonly serverFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
};

/** Why no certificates can be made here; null = they can. */
export function whyNoOpenssl(): string | null {
  return spawnSync('openssl', ['version']).status === 0 ? null : skipped('tests with TLS need openssl');
}

/** An authority of its own, a server for 127.0.0.1 and a client, as PEM files made by openssl; good for a day. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const at = (name: string): string => join(dir, name);
  const selfSigned = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1'];
  await run('openssl', [...selfSigned, '-subj', '/CN=test authority', '-keyout', at('ca.key'), '-out', at('ca.pem')]);
  for (const [name, extension] of [['server', 'subjectAltName=IP:127.0.0.1'], ['client', 'extendedKeyUsage=clientAuth']] as const) {
    await run('openssl', [...selfSigned, '-subj', `/CN=${name}`, '-addext', extension, '-addext', 'basicConstraints=critical,CA:FALSE',
      '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]);
  }
  writeFileSync(at('server-both.pem'), readFileSync(at('server.key'), 'utf8') + readFileSync(at('server.pem'), 'utf8'));
  return { caFile: at('ca.pem'), serverFile: at('server-both.pem'), clientCertFile: at('client.pem'), clientKeyFile: at('client.key') };
}
