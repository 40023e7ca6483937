/** A request to one endpoint: which scheme it speaks, who we are there, and what its refusals say. */
import { type Clock, parseRetryAfter } from "./backoff.ts";
import type { Endpoint, SchemePolicy } from "./config.ts";
import { NetworkFailure, readErrorBody, StatusFailure } from "./failure.ts";
import { sendFollowing } from "./redirects.ts";
import { Session } from "./session.ts";
import { type HttpRequest, type HttpResponse, readStart, type Transport } from "./transport.ts";
import type { Credentials } from "./types.ts";

export interface ExchangeOptions {
  readonly transport: Transport;
  readonly policy: SchemePolicy;
  readonly clock: Clock;
  readonly userAgent: string;
}

export interface RegistryRequest {
  readonly method: HttpRequest["method"];
  /** After `/v2/<repository>/`, or a whole URL the registry gave. */
  readonly path: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpRequest["body"];
  /** Statuses that are a success. Default: 200 and 206. */
  readonly accepts?: readonly number[] | undefined;
  readonly signal: AbortSignal;
}

/** A refused request is tried again with a token, and once more when a kept token had ended. */
const maxAuthorizations = 2;
const maxErrorBytes = 65_536;
const maxSessions = 256;

export class Exchange {
  readonly #o: ExchangeOptions;
  /** Endpoint host to the origin that answered last. */
  readonly #origins = new Map<string, string>();
  readonly #sessions = new Map<string, Session>();

  constructor(o: ExchangeOptions) {
    this.#o = o;
  }

  /** The session for a repository at an endpoint. `account` tells callers with different credentials apart. */
  session(endpoint: Endpoint, account: string, credentials: () => Promise<Credentials | undefined>, scopes?: readonly string[]): Session {
    const key = `${endpoint.host} ${endpoint.repository} ${account} ${(scopes ?? []).join(" ")}`;
    const known = this.#sessions.get(key);
    this.#sessions.delete(key);
    const session = known ?? new Session({ ...this.#o, host: endpoint.host, repository: endpoint.repository, credentials, scopes });
    // Reinserted, so that the first key is the one unused for longest.
    this.#sessions.set(key, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= maxSessions) break;
      this.#sessions.delete(oldest);
    }
    return session;
  }

  forgetSessions(): void {
    this.#sessions.clear();
  }

  /** An answer of a status that is a success; any other is thrown as {@link StatusFailure}. */
  async request(endpoint: Endpoint, session: Session, request: RegistryRequest): Promise<HttpResponse> {
    const response = await this.#authorized(endpoint, session, request).catch((error: unknown) => {
      if (isDenied(error)) this.#forget(session);
      throw error;
    });
    if ((request.accepts ?? [200, 206]).includes(response.status)) return response;
    const failure = await this.#statusFailure(response, session);
    if (isDenied(failure)) this.#forget(session);
    throw failure;
  }

  async #authorized(endpoint: Endpoint, session: Session, request: RegistryRequest): Promise<HttpResponse> {
    let authorization = await session.header(request.signal);
    for (let attempt = 0; ; attempt++) {
      const response = await this.#toKnownOrigin(endpoint, request, authorization);
      // Whatever a redirect led to has no say in who we are.
      const isOwnRefusal = response.status === 401 && endpoint.origins.includes(response.url.origin);
      if (!isOwnRefusal || attempt === maxAuthorizations) return response;
      try {
        authorization = await session.answer(response, authorization, request.signal);
      } catch (error) {
        response.discard();
        throw error;
      }
      if (authorization === undefined) return response;
      response.discard();
    }
  }

  async #toKnownOrigin(endpoint: Endpoint, request: RegistryRequest, authorization: string | undefined): Promise<HttpResponse> {
    if (request.path instanceof URL) return this.#send(request.path.origin, endpoint, request, authorization);
    const known = this.#origins.get(endpoint.host);
    if (known !== undefined) {
      try {
        return await this.#send(known, endpoint, request, authorization);
      } catch (error) {
        this.#origins.delete(endpoint.host);
        throw error;
      }
    }
    let failed: unknown;
    for (const origin of endpoint.origins) {
      try {
        const response = await this.#send(origin, endpoint, request, authorization);
        await refuseTlsHint(response, endpoint);
        this.#origins.set(endpoint.host, origin);
        return response;
      } catch (error) {
        if (!(error instanceof NetworkFailure) || error.trouble === "refused") throw error;
        // "Wrong protocol" only says that the other one is spoken.
        if (failed === undefined || (failed instanceof NetworkFailure && failed.trouble === "protocol")) failed = error;
      }
    }
    throw failed;
  }

  #send(origin: string, endpoint: Endpoint, request: RegistryRequest, authorization: string | undefined): Promise<HttpResponse> {
    const { method, path, body, signal } = request;
    const url = path instanceof URL ? path : new URL(`/v2/${endpoint.repository}/${path}`, origin);
    // Where a registry sends an upload elsewhere, that place knows from the URL who may.
    const own = authorization === undefined || !endpoint.origins.includes(url.origin) ? {} : { authorization };
    const headers = { ...request.headers, ...own, "user-agent": this.#o.userAgent };
    const { transport, policy } = this.#o;
    if (method === "GET" || method === "HEAD") return sendFollowing(transport, { method, url, headers, signal }, policy);
    return transport.send({ method, url, headers, body, signal });
  }

  async #statusFailure(response: HttpResponse, session: Session): Promise<StatusFailure> {
    const { status, headers, url } = response;
    const body = await readStart(response, maxErrorBytes).catch((error: unknown) => {
      if (error instanceof NetworkFailure) return new Uint8Array();
      throw error;
    });
    const retryAfterMs = parseRetryAfter(headers["retry-after"], this.#o.clock.now());
    return new StatusFailure({ status, host: url.host, ...readErrorBody(body, session.secrets), retryAfterMs });
  }

  /** Refused credentials may have been mended by the next call. */
  #forget(session: Session): void {
    for (const [key, value] of this.#sessions) if (value === session) this.#sessions.delete(key);
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof StatusFailure && (error.status === 401 || error.status === 403);
}

/** A TLS server answers plain HTTP with 400 and a sentence about HTTPS. */
async function refuseTlsHint(response: HttpResponse, endpoint: Endpoint): Promise<void> {
  if (response.status !== 400 || response.url.protocol !== "http:") return;
  const body = await readStart(response, 4096);
  const text = new TextDecoder().decode(body);
  if (/https/i.test(text)) throw new NetworkFailure("protocol", endpoint.host, "the registry expects https");
  throw new StatusFailure({ status: 400, host: endpoint.host, ...readErrorBody(body, []) });
}
