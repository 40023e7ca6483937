import type { Call } from "./call.ts";
import type { Dialect } from "./status.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH";

/**
 * `path` is `/containers/:id/json`; `:name*` takes any number of segments, as image names have slashes. A handler answers
 * through the call and may throw before it did.
 */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly handle: (call: Call) => Promise<void> | void;
  /** Takes the connection over when the client asks for an upgrade to one of these protocols. */
  readonly upgrades?: readonly ("tcp" | "websocket")[] | undefined;
}

/** Routes that answer errors in one dialect. */
export interface RouteTable {
  readonly dialect: Dialect;
  readonly routes: readonly Route[];
}

export function get(path: string, handle: Route["handle"], o: Pick<Route, "upgrades"> = {}): Route {
  return { method: "GET", path, handle, ...o };
}

export function head(path: string, handle: Route["handle"]): Route {
  return { method: "HEAD", path, handle };
}

export function post(path: string, handle: Route["handle"], o: Pick<Route, "upgrades"> = {}): Route {
  return { method: "POST", path, handle, ...o };
}

export function put(path: string, handle: Route["handle"]): Route {
  return { method: "PUT", path, handle };
}

export function del(path: string, handle: Route["handle"]): Route {
  return { method: "DELETE", path, handle };
}
