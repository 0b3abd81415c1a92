import { messageOf } from '../../errors.ts';
import { parseType } from './guarded-types.ts';
import { branchesOf } from './topic-type.ts';

/**
 * Throws unless `readerText` can read everything that was written with `writerText`: what registries call BACKWARD.
 * Every kind of a union must still be there.
 */
export function assertReads(readerText: string, writerText: string, writerName: string): void {
  const readers = branchesOf(parseType(readerText)).branches;
  for (const written of branchesOf(parseType(writerText)).branches) {
    const reader = readers.find((branch) => branch.kind === written.kind);
    if (reader === undefined) throw new Error(`${writerName} has ${written.kind}, which is gone`);
    try {
      reader.type.createResolver(written.type);
    } catch (error) {
      throw new Error(`${writerName} cannot be read any more: ${written.kind}: ${messageOf(error)}`, { cause: error });
    }
  }
}
