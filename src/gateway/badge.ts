/** What a badge says of a race: its colour follows `tone`. */
export type Badge = { readonly label: string; readonly text: string; readonly tone: 'running' | 'good' | 'bad' | 'warn' | 'none' };

const colours: Readonly<Record<Badge['tone'], string>> = { running: '#1d63d8', good: '#12803c', bad: '#c22626', warn: '#9a5b00', none: '#5b6673' };
/** Of Verdana at 11 px, on average. */
const CHARACTER_PX = 6.8;
const PADDING_PX = 12;
const MOST_CHARACTERS = 60;

/** A badge as SVG, 20 px high. Holds no script and loads nothing. */
export function badgeSvg({ label, text, tone }: Badge): string {
  const [left, right] = [shortened(label), shortened(text)];
  const leftPx = Math.round(left.length * CHARACTER_PX) + PADDING_PX;
  const rightPx = Math.round(right.length * CHARACTER_PX) + PADDING_PX;
  const width = leftPx + rightPx;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${escaped(`${left}: ${right}`)}"><title>${escaped(`${left}: ${right}`)}</title>`
    + `<clipPath id="c"><rect width="${width}" height="20" rx="4"/></clipPath><g clip-path="url(#c)"><rect width="${leftPx}" height="20" fill="#3c4651"/><rect x="${leftPx}" width="${rightPx}" height="20" fill="${colours[tone]}"/></g>`
    + `<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="${leftPx / 2}" y="14">${escaped(left)}</text><text x="${leftPx + rightPx / 2}" y="14">${escaped(right)}</text></g></svg>`;
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
}

function escaped(text: string): string {
  // Control characters are not allowed in XML at all.
  return text.replace(/\p{Cc}/gu, ' ').replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
