/** `7 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`: two units at most. Negative durations are written by their size. */
export function formatDuration(sec: number): string {
  const whole = Math.round(Math.abs(sec));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.round(whole / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(whole / 3_600);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major} ${majorUnit}` : `${major} ${majorUnit} ${minor} ${minorUnit}`;
}

/** Local time of day, `14:32` or `14:32:07`; with the date in front when it is another day than `nowMs`. */
export function formatClock(atMs: number, nowMs: number, withSeconds: boolean): string {
  const at = new Date(atMs);
  const time = [at.getHours(), at.getMinutes(), ...(withSeconds ? [at.getSeconds()] : [])].map((part) => String(part).padStart(2, '0')).join(':');
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')} ${time}`;
}

/** Columns that a text takes: code points, wide East Asian characters and emoji as two. Enough for titles. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** Cuts or pads with blanks to exactly `width` columns; a cut is shown as `…`. Control characters are taken out. */
export function fit(text: string, width: number): string {
  const clean = plainText(text);
  if (width <= 0) return '';
  if (textWidth(clean) <= width) return clean + ' '.repeat(width - textWidth(clean));
  let kept = '';
  let used = 0;
  for (const char of clean) {
    if (used + charWidth(char) > width - 1) break;
    kept += char;
    used += charWidth(char);
  }
  return `${kept}…${' '.repeat(width - used - 1)}`;
}

/** Without control characters: text of others must not steer the terminal. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

function charWidth(char: string): number {
  if (/\p{Mn}/u.test(char)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(char) ? 2 : 1;
}
