/** Asks a registry whether it takes credentials: `GET /v2/`, with a token where the registry wants one. */
import { BerthError } from "../errors.ts";
import type { Endpoint } from "./config.ts";
import type { Exchange } from "./exchange.ts";
import { NetworkFailure, StatusFailure } from "./failure.ts";
import { accountKey } from "./session.ts";
import type { Credentials } from "./types.ts";

export interface LoginOptions {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

export async function checkLogin(exchange: Exchange, o: LoginOptions): Promise<boolean> {
  let failure: NetworkFailure | undefined;
  for (const origin of o.endpoint.origins) {
    try {
      await ask(exchange, { ...o, endpoint: { ...o.endpoint, origins: [origin] } }, new URL("/v2/", origin));
      return true;
    } catch (error) {
      if (o.signal.aborted) throw o.signal.reason;
      if (error instanceof StatusFailure && (error.status === 401 || error.status === 403)) return false;
      if (error instanceof StatusFailure) throw new BerthError("pull_failed", `${error.message} to a login`, { status: error.status });
      if (!(error instanceof NetworkFailure)) throw error;
      failure ??= error;
    }
  }
  throw new BerthError("network", `cannot log in to ${o.endpoint.host}: ${failure?.message ?? "it has no address"}`, { cause: failure?.cause });
}

async function ask(exchange: Exchange, o: LoginOptions, url: URL): Promise<void> {
  const session = exchange.session(o.endpoint, `login ${accountKey(o.credentials)}`, () => Promise.resolve(o.credentials), []);
  const response = await exchange.request(o.endpoint, session, { method: "GET", path: url, headers: {}, accepts: [200], signal: o.signal });
  response.discard();
}
