import { messageOf } from "../errors.ts";
import type { HttpEvents } from "../http/server.ts";
import { statusOf } from "../http/status.ts";
import type { Logger } from "./log.ts";

/** Requests at level debug; what we failed at, as an error. No query is logged: it may hold more than a log should. */
export function requestLog(log: Logger): HttpEvents {
  return {
    answered: ({ method, path, status, ms, error }) => {
      const facts = { method, path: path.split("?", 1)[0], status, ms: Math.round(ms * 10) / 10 };
      const failed = error === undefined ? undefined : statusOf(error, "docker");
      if (failed !== undefined && failed >= 500 && failed !== 501) log.error("request failed", { ...facts, status: failed, error: messageOf(error) });
      else log.debug("request", { ...facts, error: error === undefined ? undefined : messageOf(error) });
    },
  };
}
