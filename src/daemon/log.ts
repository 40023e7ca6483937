/** Structured log: one line per event on stderr, as text for people or as JSON for machines. */
import type { LogLevel } from "./options.ts";

export type Facts = Readonly<Record<string, unknown>>;

export interface Logger {
  readonly isDebug: boolean;
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLogger(o: {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}): Logger {
  const now = o.now ?? (() => new Date());
  const write = (level: LogLevel, message: string, facts: Facts = {}): void => {
    if (ranks[level] < ranks[o.level]) return;
    o.write(`${o.format === "json" ? JSON.stringify({ time: now().toISOString(), level, message, ...facts }) : textLine(now(), level, message, facts)}\n`);
  };
  return {
    isDebug: o.level === "debug",
    debug: (message, facts) => write("debug", message, facts),
    info: (message, facts) => write("info", message, facts),
    warn: (message, facts) => write("warn", message, facts),
    error: (message, facts) => write("error", message, facts),
  };
}

function textLine(time: Date, level: LogLevel, message: string, facts: Facts): string {
  const pairs = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${shown(value)}`);
  return [time.toISOString(), level.toUpperCase().padEnd(5), oneLine(message), ...pairs].join(" ");
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " | ");
}
