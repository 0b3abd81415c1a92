import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// Which way code may look. A part is a folder; what a part may import is listed, everything else is a finding.

const root = resolve(import.meta.dirname, '../..');

/** Longest prefix wins. */
const parts = [
  'topology', 'schemas', 'workers', 'src/race', 'src/forecast', 'src/cluster', 'src/journey', 'src/poll', 'src/history', 'src/rebuilds', 'src/operators', 'src/ports', 'src/runtime',
  'src/gateway', 'src/bridge', 'src/board', 'src/cli', 'src/errors.ts', 'src/config.ts', 'src/main.ts',
  ...readdirSync(join(root, 'src/adapters')).map((name) => `src/adapters/${name}`),
];

const core = ['src/race', 'src/forecast', 'src/cluster', 'src/journey', 'src/poll', 'src/history', 'src/rebuilds'];

type Rule = { readonly own: readonly string[]; readonly packages: RegExp | 'any' };

const rules: Record<string, Rule> = {
  topology: { own: ['topology'], packages: /^$/ },
  schemas: { own: ['topology', 'src/adapters/avro', 'src/errors.ts'], packages: /^(node:|avsc$)/ },
  'src/errors.ts': { own: [], packages: /^$/ },
  // Passwords may stand in files.
  'src/config.ts': { own: ['src/errors.ts', 'topology'], packages: /^node:fs$/ },
  'src/race': { own: ['src/errors.ts'], packages: /^$/ },
  'src/forecast': { own: ['src/errors.ts', 'src/race', 'src/cluster', 'src/journey'], packages: /^$/ },
  'src/history': { own: ['src/errors.ts', 'src/race', 'src/forecast', 'src/journey'], packages: /^$/ },
  'src/rebuilds': { own: ['src/errors.ts', 'src/race', 'src/forecast', 'src/cluster'], packages: /^$/ },
  'src/cluster': { own: ['src/errors.ts', 'src/race'], packages: /^fastest-levenshtein$/ },
  'src/journey': { own: ['src/errors.ts', 'src/race'], packages: /^$/ },
  'src/poll': { own: ['src/errors.ts', 'src/race'], packages: /^$/ },
  workers: { own: ['src/cluster', 'src/errors.ts'], packages: /^(node:|hnswlib-node$)/ },
  'src/ports': { own: [...core, 'topology', 'src/errors.ts'], packages: /^$/ },
  'src/operators': { own: [...core, 'src/ports', 'src/errors.ts'], packages: /^rxjs$/ },
  'src/bridge': { own: [...core, 'src/errors.ts'], packages: /^$/ },
  'src/board': { own: ['src/bridge'], packages: 'any' },
  'src/runtime': { own: [...core, 'src/operators', 'src/ports', 'src/bridge', 'topology', 'src/errors.ts', 'src/config.ts'], packages: 'any' },
  'src/gateway': { own: [...core, 'src/ports', 'src/bridge', 'topology', 'src/runtime', 'src/errors.ts', 'src/config.ts'], packages: 'any' },
  // Clustering a file builds its vector index where it runs.
  'src/cli': { own: [...core, 'workers', 'src/ports', 'src/bridge', 'topology', 'src/runtime', 'src/errors.ts', 'src/config.ts', 'src/main.ts'], packages: 'any' },
  'src/main.ts': { own: [...parts], packages: 'any' },
};

function ruleOf(part: string): Rule {
  // The pool speaks its worker's messages.
  if (part.startsWith('src/adapters/')) return { own: [...core, ...(part === 'src/adapters/piscina' ? ['workers'] : []), 'src/ports', 'topology', 'schemas', 'src/errors.ts', 'src/config.ts'], packages: 'any' };
  const rule = rules[part];
  if (rule === undefined) throw new Error(`No rule for ${part}`);
  return rule;
}

function partOf(path: string): string {
  const found = parts.filter((part) => path === part || path.startsWith(`${part}/`)).sort((a, b) => b.length - a.length)[0];
  if (found === undefined) throw new Error(`${path} belongs to no part: give it a place in the layout`);
  return found;
}

const files = ['topology', 'src', 'schemas', 'workers'].flatMap((folder) => {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.m?tsx?$/.test(name) && !name.startsWith('board/dist/')).map((name) => join(folder, name));
  } catch {
    return [];
  }
});

/** Types are not there when a file is loaded. */
function loadsOf(path: string): string[] {
  return importsIn(readFileSync(join(root, path), 'utf8').replaceAll(/(?:^|\n)(?:import|export) type [^;]*;/g, '\n'));
}

function importsOf(path: string): string[] {
  return importsIn(readFileSync(join(root, path), 'utf8'));
}

function importsIn(text: string): string[] {
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s+'([^']+)'|(?:^|\n)import\s+'([^']+)'|\bimport\('([^']+)'\)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

describe('imports', () => {
  it('sees the tree', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(importsOf('src/main.ts')).toContain('./config.ts');
  });

  it('go only the ways that are allowed', () => {
    const findings: string[] = [];
    for (const file of files) {
      const part = partOf(file);
      const rule = ruleOf(part);
      for (const specifier of importsOf(file)) {
        if (specifier.startsWith('.')) {
          const target = relative(root, resolve(root, dirname(file), specifier));
          if (target.endsWith('.json')) continue;
          const targetPart = partOf(target);
          if (targetPart !== part && !rule.own.includes(targetPart)) findings.push(`${file} imports ${target}`);
        } else if (rule.packages !== 'any' && !rule.packages.test(specifier)) {
          findings.push(`${file} imports ${specifier}`);
        }
      }
    }
    expect(findings).toEqual([]);
  });

  it('load no file that loads them', () => {
    const findings: string[] = [];
    const known = new Set(files);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) findings.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file)) return;
      done.add(file);
      for (const specifier of loadsOf(file)) {
        const target = relative(root, resolve(root, dirname(file), specifier));
        if (specifier.startsWith('.') && known.has(target)) visit(target, [...path, file]);
      }
    };
    for (const file of files) visit(file, []);
    expect(findings).toEqual([]);
  });

  it('leave process.env to the command line\'s entry', () => {
    const readers = files.filter((file) => /process\.env/.test(readFileSync(join(root, file), 'utf8')));
    expect(readers.filter((file) => !file.startsWith('src/cli/'))).toEqual([]);
  });

  it('have no default exports', () => {
    expect(files.filter((file) => file !== 'src/board/vite.config.ts' && /export default/.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });
});
