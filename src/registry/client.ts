/** The distribution-spec client behind every pull (contract method 2). */
import { BerthError, DigestMismatchError } from "../errors.ts";
import { type Descriptor, isRecord } from "../spec/descriptor.ts";
import { digestLike, sha256, tryParseDigest } from "../spec/digest.ts";
import { parseJson } from "../spec/image-config.ts";
import { acceptedManifestTypes, maxManifestBytes, parseManifest } from "../spec/manifest.ts";
import { canonicalReference, type Reference } from "../spec/reference.ts";
import { version } from "../version.ts";
import { type Clock, retryDelayMs, systemClock } from "./backoff.ts";
import { downloadBlob } from "./blob.ts";
import { checkRegistryConfig, type Endpoint, endpointsOf, type RegistryConfig, schemePolicy } from "./config.ts";
import { type CredentialSource, dockerConfigCredentials, presentCredentials } from "./credentials.ts";
import { Exchange, type RegistryRequest } from "./exchange.ts";
import { StatusFailure, toBerthError } from "./failure.ts";
import { accountKey, type Session } from "./session.ts";
import { checkLogin } from "./login.ts";
import { Push } from "./push.ts";
import { searchRegistry } from "./search.ts";
import { createTransport, type HttpResponse, readAll, type Transport } from "./transport.ts";
import type { Credentials, RegistryCallOptions, RegistryClient, RegistryPush, RegistrySearchHit } from "./types.ts";

export interface RegistryClientOptions extends RegistryConfig {
  /** Asked by registry host when a call brings no credentials of its own. Default: docker's config.json. */
  readonly credentials?: CredentialSource | undefined;
  /** Default 15,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Longest silence of a connection. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** For tests: time and chance. */
  readonly clock?: Partial<Clock> | undefined;
}

/** Throws `configuration` when a mirror cannot be used. Failures of the calls are `pull_failed`, aborts the signal's reason. */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  checkRegistryConfig(options);
  return new Client(options);
}

class Client implements RegistryClient {
  readonly #config: RegistryConfig;
  readonly #credentials: CredentialSource;
  readonly #clock: Clock;
  readonly #policy: (host: string) => "https" | "loopback" | "insecure";
  readonly #exchange: Exchange;
  readonly #closed = new AbortController();
  readonly #transport: Transport;

  constructor(o: RegistryClientOptions) {
    this.#config = o;
    this.#credentials = o.credentials ?? dockerConfigCredentials(process.env);
    this.#clock = { ...systemClock, ...o.clock };
    this.#policy = schemePolicy(o);
    this.#transport = createTransport({
      connectTimeoutMs: o.connectTimeoutMs ?? 15_000,
      idleTimeoutMs: o.idleTimeoutMs ?? 60_000,
      trustsAnyCertificate: (host) => this.#policy(host) !== "https",
    });
    this.#exchange = new Exchange({ transport: this.#transport, policy: this.#policy, clock: this.#clock, userAgent: `berth/${version}` });
  }

  async resolve(reference: Reference, o: RegistryCallOptions = {}): Promise<Descriptor> {
    const head = await this.#anywhere(reference, o, (at) => this.#head(reference, at));
    return head ?? (await this.manifest(reference, undefined, o)).descriptor;
  }

  manifest(reference: Reference, descriptor: Descriptor | undefined, o: RegistryCallOptions = {}): Promise<{ descriptor: Descriptor; bytes: Uint8Array }> {
    return this.#anywhere(reference, o, (at) => this.#getManifest(reference, descriptor, at));
  }

  // No generator of its own: each layer of them costs every piece of a blob.
  blob(reference: Reference, descriptor: Descriptor, o: RegistryCallOptions & { readonly offset?: number | undefined } = {}): AsyncIterable<Uint8Array> {
    const call = this.#call(reference, o);
    const image = canonicalReference(reference);
    const what = `blob ${descriptor.digest} of ${image}`;
    let session: Session | undefined;
    return downloadBlob({
      endpoints: call.endpoints,
      descriptor,
      what,
      image,
      offset: o.offset ?? 0,
      signal: call.signal,
      get: (endpoint, headers) => {
        const at = call.at(endpoint);
        session = at.session;
        return at.request({ method: "GET", path: `blobs/${descriptor.digest}`, headers });
      },
      waitForRetry: (failure, retry) => this.#waitForRetry(failure, retry, { wasReachable: true, signal: call.signal }),
      explain: (failure) => toBerthError(failure, { image, what, anonymous: session?.isAnonymous ?? true }),
    });
  }

  push(reference: Reference, o: RegistryCallOptions & { readonly mountFrom?: readonly string[] | undefined } = {}): RegistryPush {
    const { endpoints, signal } = this.#call(reference, o);
    const endpoint = endpoints.find((one) => !one.isMirror);
    if (endpoint === undefined) throw new BerthError("internal", `no endpoint for ${canonicalReference(reference)}`);
    const session = this.#pushSession(reference, endpoint, o);
    return new Push({
      image: canonicalReference(reference),
      mountFrom: o.mountFrom ?? [],
      signal,
      session,
      request: (request) => this.#exchange.request(endpoint, session, { ...request, signal }),
      waitForRetry: (failure, retry, wasReachable) => this.#waitForRetry(failure, retry, { wasReachable, signal }),
    });
  }

  #pushSession(reference: Reference, endpoint: Endpoint, o: RegistryCallOptions & { readonly mountFrom?: readonly string[] | undefined }): Session {
    const inline = presentCredentials(o.auth);
    const find = inline === undefined ? () => this.#credentials(reference.registry) : () => Promise.resolve(inline);
    const mounts = (o.mountFrom ?? []).map((repository) => `repository:${repository}:pull`);
    return this.#exchange.session(endpoint, accountKey(inline), find, [`repository:${endpoint.repository}:pull,push`, ...mounts]);
  }

  async search(registry: string, term: string, limit: number, o: RegistryCallOptions = {}): Promise<readonly RegistrySearchHit[]> {
    const signal = o.signal === undefined ? this.#closed.signal : AbortSignal.any([o.signal, this.#closed.signal]);
    const account = presentCredentials(o.auth) ?? (await this.#credentials(registry));
    return searchRegistry({ transport: this.#transport, policy: this.#policy, registry, term, limit, account, signal });
  }

  checkLogin(registry: string, credentials: Credentials, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    const signal = o.signal === undefined ? this.#closed.signal : AbortSignal.any([o.signal, this.#closed.signal]);
    const endpoint = endpointsOf(registry, "", { ...this.#config, mirrors: {} }, this.#policy).at(-1);
    if (endpoint === undefined) throw new BerthError("internal", `${registry} has no address`);
    return checkLogin(this.#exchange, { endpoint, credentials, signal });
  }

  forgetAccounts(): void {
    this.#exchange.forgetSessions();
  }

  close(): void {
    this.#closed.abort(new BerthError("aborted", "the registry client was closed"));
    this.#transport.close();
  }

  /** `undefined` when the registry's HEAD is not usable: a GET then says the same, or says why not. */
  async #head(reference: Reference, at: Place): Promise<Descriptor | undefined> {
    let response: HttpResponse;
    try {
      response = await at.request({ method: "HEAD", path: manifestPath(reference), headers: acceptManifests });
    } catch (error) {
      const isFinal = !(error instanceof StatusFailure) || [401, 404, 429].includes(error.status) || error.status >= 500;
      if (isFinal) throw error;
      return undefined;
    }
    response.discard();
    const { "content-length": length = "", "content-type": type, "docker-content-digest": header } = response.headers;
    const digest = tryParseDigest(String(header ?? ""));
    if (digest === undefined || type === undefined || !/^\d+$/.test(length) || Number(length) > maxManifestBytes) return undefined;
    if (reference.digest !== undefined && reference.digest !== digest) return undefined;
    return { mediaType: bareType(type), digest, size: Number(length) };
  }

  async #getManifest(reference: Reference, wanted: Descriptor | undefined, at: Place): Promise<{ descriptor: Descriptor; bytes: Uint8Array }> {
    const path = wanted === undefined ? manifestPath(reference) : `manifests/${wanted.digest}`;
    const response = await at.request({ method: "GET", path, headers: acceptManifests });
    const bytes = await readAll(response, maxManifestBytes);
    const image = canonicalReference(reference);
    const what = `manifest of ${image}`;
    if (wanted !== undefined && bytes.length !== wanted.size) {
      throw new DigestMismatchError(`size of ${what}`, { expected: `${wanted.size} bytes`, actual: `${bytes.length} bytes`, image });
    }
    const promised = wanted?.digest ?? reference.digest ?? tryParseDigest(String(response.headers["docker-content-digest"] ?? ""));
    const digest = promised === undefined ? sha256(bytes) : digestLike(promised, bytes);
    if (promised !== undefined && promised !== digest) throw new DigestMismatchError(what, { expected: promised, actual: digest, image });
    const mediaType = wanted?.mediaType ?? mediaTypeOf(bytes, response.headers["content-type"]);
    checkManifest(bytes, mediaType, image);
    return { descriptor: { ...wanted, mediaType, digest, size: bytes.length }, bytes };
  }

  /** Does the work at the first endpoint that can; a mirror's failure of any kind leads to the next one. */
  async #anywhere<T>(reference: Reference, o: RegistryCallOptions, work: (at: Place) => Promise<T>): Promise<T> {
    const call = this.#call(reference, o);
    const image = canonicalReference(reference);
    call.signal.throwIfAborted();
    for (const endpoint of call.endpoints) {
      const at = call.at(endpoint);
      try {
        return await this.#patiently(endpoint, call.signal, () => work(at));
      } catch (error) {
        if (call.signal.aborted) throw call.signal.reason;
        if (!endpoint.isMirror) throw toBerthError(error, { image, what: image, anonymous: at.session.isAnonymous });
      }
    }
    throw new BerthError("internal", `no endpoint for ${image}`);
  }

  async #patiently<T>(endpoint: Endpoint, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let retry = 0; ; retry++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || endpoint.isMirror) throw error;
        if (!(await this.#waitForRetry(error, retry, { wasReachable: false, signal }))) throw error;
      }
    }
  }

  async #waitForRetry(failure: unknown, retry: number, o: { readonly wasReachable: boolean; readonly signal: AbortSignal }): Promise<boolean> {
    const delayMs = retryDelayMs(failure, retry, { clock: this.#clock, wasReachable: o.wasReachable });
    if (delayMs === undefined) return false;
    await this.#clock.delay(delayMs, o.signal);
    return true;
  }

  #call(reference: Reference, o: RegistryCallOptions): { endpoints: readonly Endpoint[]; signal: AbortSignal; at: (endpoint: Endpoint) => Place } {
    const signal = o.signal === undefined ? this.#closed.signal : AbortSignal.any([o.signal, this.#closed.signal]);
    const inline = presentCredentials(o.auth);
    const at = (endpoint: Endpoint): Place => {
      const session = this.#session(reference, endpoint, inline);
      return { session, request: (request) => this.#exchange.request(endpoint, session, { ...request, signal }) };
    };
    return { endpoints: endpointsOf(reference.registry, reference.path, this.#config, this.#policy), signal, at };
  }

  /** Credentials for a registry are never shown to its mirrors; a mirror has those found under its own host. */
  #session(reference: Reference, endpoint: Endpoint, inline: Credentials | undefined): Session {
    if (endpoint.isMirror) return this.#exchange.session(endpoint, "mirror", () => this.#credentials(endpoint.host));
    const find = inline === undefined ? () => this.#credentials(reference.registry) : () => Promise.resolve(inline);
    return this.#exchange.session(endpoint, accountKey(inline), find);
  }
}

interface Place {
  readonly session: Session;
  readonly request: (request: Omit<RegistryRequest, "signal">) => Promise<HttpResponse>;
}

const acceptManifests = { accept: acceptedManifestTypes.join(", ") };

function manifestPath(reference: Reference): string {
  return `manifests/${reference.digest ?? reference.tag ?? "latest"}`;
}

function bareType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

/** The document's own word, which its digest covers, before the header's. */
function mediaTypeOf(bytes: Uint8Array, contentType: string | undefined): string {
  const json = parseJson(bytes);
  const own = isRecord(json) ? json["mediaType"] : undefined;
  return typeof own === "string" ? own : bareType(contentType ?? "");
}

function checkManifest(bytes: Uint8Array, mediaType: string, image: string): void {
  try {
    parseManifest(bytes, mediaType);
  } catch (cause) {
    if (!(cause instanceof BerthError)) throw cause;
    const reason = `cannot use ${image}: ${cause.message}`;
    throw new BerthError("pull_failed", reason, { image, reason, cause });
  }
}
