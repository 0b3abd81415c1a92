/** What the server process is told to do with inserts, over IPC. Everything else is answered as usual. */
export type Behaviour =
  | 'serve'
  /** Every request is refused with 503 and ClickHouse's code 202. */
  | 'refuse'
  /** Every request is read and never answered. */
  | 'stall'
  /** Hangs up after the insert was stored: its outcome is unknown to the client. */
  | 'hang-up-after-insert'
  /** The process kills itself while the insert runs. */
  | 'die-in-insert'
  /** The process kills itself after the insert was stored, before it is answered. */
  | 'die-after-insert';

export type ToServer = { readonly behaviour: Behaviour };
export type FromServer = { readonly port: number } | { readonly done: Behaviour } | { readonly inserted: string };
