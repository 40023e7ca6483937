/** A native route as data: what it takes and answers as schemas, from which requests are checked and the OpenAPI document is made. */
import type { z } from "zod";
import { type Identity, isAtLeast, type Role } from "../identity.ts";
import type { Call } from "../call.ts";
import type { Method, Route } from "../route.ts";
import { HttpError } from "../status.ts";

export interface Answer {
  readonly status: number;
  readonly schema?: z.ZodType | undefined;
  /** Default `application/json`, where there is a schema. */
  readonly contentType?: string | undefined;
}

export interface NativeRoute<Query = unknown, Body = unknown> {
  readonly method: Method;
  /** Below `/api/v1`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly role: Role;
  readonly query?: z.ZodType<Query> | undefined;
  readonly body?: z.ZodType<Body> | undefined;
  /** Of a body that is no JSON. */
  readonly bodyType?: string | undefined;
  readonly answer: Answer;
  readonly upgrades?: Route["upgrades"];
  readonly handle: (call: Call, input: { readonly query: Query; readonly body: Body }) => Promise<void> | void;
  /** Whether a container's own token may come in here, for what is its own. */
  readonly isOpenToContainers?: boolean | undefined;
}

/** Keeps the types of query and body together; a list of routes then forgets them. */
export function route<Query = undefined, Body = undefined>(definition: NativeRoute<Query, Body>): NativeRoute {
  return { ...definition, handle: (call, input) => definition.handle(call, input as { query: Query; body: Body }) } as NativeRoute;
}

export const base = "/api/v1";

/** The route the router knows: who may, then what was sent, then the work. */
export function toRoute(native: NativeRoute): Route {
  return {
    method: native.method,
    path: `${base}${native.path}`,
    upgrades: native.upgrades,
    handle: async (call) => {
      admit(call.identity, native);
      const query = native.query === undefined ? undefined : parsed(native.query, queryObject(call.query), "query");
      const body = native.body === undefined ? undefined : parsed(native.body, await call.json(), "body");
      await native.handle(call, { query, body });
    },
  };
}

function admit(identity: Identity, native: NativeRoute): void {
  if (identity.role === "container" ? native.isOpenToContainers !== true : !isAtLeast(identity, native.role)) {
    throw new HttpError(403, `${identity.name} has the role ${identity.role}; ${native.method} ${base}${native.path} needs ${native.role}`);
  }
}

/** A name that comes once is a text, one that comes again a list. */
function queryObject(query: URLSearchParams): Record<string, string | readonly string[]> {
  const names = [...new Set(query.keys())].filter((name) => name !== "__proto__");
  return Object.fromEntries(names.map((name) => [name, query.getAll(name).length > 1 ? query.getAll(name) : (query.get(name) ?? "")]));
}

function parsed(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => `${[where, ...path].join(".")}: ${message}`);
  throw new ValidationError(problems.join("; "));
}

/** 400 with the code `validation_error`. */
export class ValidationError extends HttpError {
  constructor(message: string) {
    super(400, message, { nativeCode: "validation_error" });
    this.name = "ValidationError";
  }
}
