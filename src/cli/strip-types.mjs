// Node runs TypeScript as it is, but not below node_modules, where npx and `npm install raceline` put us. Loaded by the
// launcher with --import, so that worker threads and forked processes, which inherit the flag, get it too.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const own = new URL('../../', import.meta.url).href;
const dependencies = new URL('node_modules/', own).href;

const emit = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (!String(warning).startsWith('stripTypeScriptTypes')) emit.call(process, warning, ...rest);
};

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(own) || url.startsWith(dependencies) || !url.endsWith('.ts')) return nextLoad(url, context);
    return { format: 'module', shortCircuit: true, source: stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'), { sourceUrl: url }) };
  },
});
