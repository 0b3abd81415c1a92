/** Structured logs; pino's Logger is one. Core and operators never log. */
export type Logger = {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
};
