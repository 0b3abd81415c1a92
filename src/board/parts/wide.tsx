import type { ComponentChildren } from 'preact';

/** A table that may be wider than the screen: it scrolls by itself, with the keyboard too. */
export function Wide({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return <div class="wide" role="region" aria-label={label} tabIndex={0}>{children}</div>;
}
