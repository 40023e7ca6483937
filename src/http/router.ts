/** Finds the route of a request: fixed paths by a map, the others by one expression each, looked at by their first segment. */
import { HttpError } from "./status.ts";
import type { Route } from "./route.ts";

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly route: Route;
  readonly expression: RegExp;
  readonly names: readonly string[];
}

const none: Readonly<Record<string, string>> = {};

export class Router {
  readonly #fixed = new Map<string, Route>();
  readonly #patterns = new Map<string, Pattern[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      if (!route.path.includes(":")) {
        this.#fixed.set(`${route.method} ${route.path}`, route);
        continue;
      }
      const key = bucket(route.method, route.path);
      this.#patterns.set(key, [...(this.#patterns.get(key) ?? []), compile(route)]);
    }
  }

  /** `path` without query, undecoded. Throws `HttpError` 400 for a broken escape. */
  find(method: string, path: string): Match | undefined {
    const fixed = this.#fixed.get(`${method} ${path}`);
    if (fixed !== undefined) return { route: fixed, params: none };
    for (const { route, expression, names } of this.#patterns.get(bucket(method, path)) ?? []) {
      const found = expression.exec(path);
      if (found !== null) return { route, params: Object.fromEntries(names.map((name, i) => [name, decode(found[i + 1] ?? "")])) };
    }
    return undefined;
  }
}

function bucket(method: string, path: string): string {
  const end = path.indexOf("/", 1);
  return `${method} ${end < 0 ? path : path.slice(0, end)}`;
}

function compile(route: Route): Pattern {
  const names: string[] = [];
  const source = route.path.replace(/[.+?^$()|[\]{}\\]/g, "\\$&").replace(/:(\w+)(\*)?/g, (_, name: string, many: string | undefined) => {
    names.push(name);
    return many === undefined ? "([^/]+)" : "(.+)";
  });
  return { route, names, expression: new RegExp(`^${source}$`) };
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, `invalid escape in the path: ${JSON.stringify(text)}`);
  }
}
