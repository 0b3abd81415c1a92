import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { messageOf } from '../../errors.ts';
import { lineOf, refuseFile, type FileRefusal } from '../../journey/route-file.ts';

const MOST_FILE_CHARS = 20_000_000;

/** An element: its name without a prefix, its attributes, its own text and its children in order. */
export type Element = { readonly name: string; readonly attributes: Readonly<Record<string, string>>; readonly text: string; readonly children: readonly Element[] };

const ATTRIBUTES = ':@';
const TEXT = '#text';

/**
 * Reads XML into elements. Refused with line and reason: over 20 million characters, not well-formed, or with a document type: entities of a
 * file's own can grow without end or name other files, and no route needs them. Surprises of the parser: without the validator in
 * front of it broken XML is read as far as it goes, without a word; and of what the validator lets pass it throws at some.
 */
export function parseXml(text: string): { readonly root: Element } | { readonly refusal: FileRefusal } {
  if (text.length > MOST_FILE_CHARS) return refuseFile(1, `The file has ${text.length} characters, at most ${MOST_FILE_CHARS} are allowed`);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) return refuseFile(lineOf(text, '<!DOCTYPE'), 'A document type is not allowed');
  const verdict = XMLValidator.validate(text);
  if (verdict !== true) return refuseFile(verdict.err.line, `No well-formed XML: ${verdict.err.msg}`);
  const parser = new XMLParser({ preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: '', removeNSPrefix: true, parseTagValue: false, parseAttributeValue: false, ignoreDeclaration: true, ignorePiTags: true, cdataPropName: '' });
  let nodes: unknown;
  try {
    nodes = parser.parse(text);
  } catch (error) {
    return refuseFile(1, `No well-formed XML: ${messageOf(error)}`);
  }
  const root = Array.isArray(nodes) ? nodes.map((node) => elementOf(node, 0)).find((element) => element !== null) : undefined;
  return root === undefined || root === null ? refuseFile(1, 'The file has no element') : { root };
}

/** What lies deeper is left out: no route does. */
const DEEPEST = 50;

function elementOf(node: unknown, depth: number): Element | null {
  if (typeof node !== 'object' || node === null || depth > DEEPEST) return null;
  const entry = Object.entries(node).find(([key]) => key !== ATTRIBUTES && key !== TEXT);
  if (entry === undefined) return null;
  const [name, inner] = entry as [string, unknown];
  const children: Element[] = [];
  let text = '';
  for (const child of Array.isArray(inner) ? (inner as unknown[]) : []) {
    const own = (child as Readonly<Record<string, unknown>>)[TEXT];
    if (own !== undefined) text += String(own);
    else {
      const element = elementOf(child, depth + 1);
      if (element !== null) children.push(element);
    }
  }
  const attributes = (node as Readonly<Record<string, unknown>>)[ATTRIBUTES];
  return { name, attributes: (attributes ?? {}) as Record<string, string>, text: text.trim(), children };
}

/** The first child of a name. */
export function child(element: Element, name: string): Element | undefined {
  return element.children.find((candidate) => candidate.name === name);
}

/** Every descendant of a name, in document order. */
export function descendants(element: Element, name: string): Element[] {
  const found: Element[] = [];
  for (const candidate of element.children) {
    if (candidate.name === name) found.push(candidate);
    found.push(...descendants(candidate, name));
  }
  return found;
}
