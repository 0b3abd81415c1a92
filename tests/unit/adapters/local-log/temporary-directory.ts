import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh directory; disposing of it removes it. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'raceline-log-'));
  return { path, [Symbol.dispose]: () => { rmSync(path, { recursive: true, force: true }); } };
}
