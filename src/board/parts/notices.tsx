import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../api/http.ts';

/** A line to copy into a terminal. */
export function Command({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
  };
  return <div class="command"><code tabIndex={0}>{text}</code><button type="button" onClick={copy} aria-label={`Copy: ${text}`}>{isCopied ? 'Copied' : 'Copy'}</button></div>;
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return <div class="empty"><h2>{title}</h2>{children}</div>;
}

/** What went wrong and what to do about it. */
export function Failure({ error, again }: { readonly error: ApiError; readonly again?: () => void }) {
  return (
    <div class="empty is-failure" role="alert">
      <h2>{titles[error.code] ?? 'That did not work'}</h2>
      <p>{error.message}</p>
      <p>{advice[error.code] ?? (error.status === 0 ? 'Is the service running? npm start begins it.' : 'Try it again; if it stays, npx raceline doctor says what is wrong.')}</p>
      {again !== undefined && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

const titles: Readonly<Record<string, string>> = {
  no_answer: 'No answer', history_unavailable: 'No history here', not_found: 'Not found', not_ready: 'Still starting', unauthenticated: 'A token is needed', forbidden: 'Not allowed',
};
const advice: Readonly<Record<string, string>> = {
  history_unavailable: 'This service runs without ClickHouse: set CLICKHOUSE_URL, or let npm install the optional package chdb.',
  not_found: 'It may have been forgotten, or never existed. Finished races are under History.',
  not_ready: 'The live view is being restored from the log; it takes some seconds.',
  forbidden: 'The token of this page does not allow it.',
};

export function Loading({ what }: { readonly what: string }) {
  return <p class="loading" role="status">Loading {what}…</p>;
}
