/** Who we are for one repository at one place: anonymous, basic, or a token that is fetched and renewed. */
import { createHash } from "node:crypto";
import { abandonable } from "../internal/abort.ts";
import { isRecord } from "../spec/descriptor.ts";
import { parseJson } from "../spec/image-config.ts";
import { type Clock, parseRetryAfter } from "./backoff.ts";
import { type Challenge, parseChallenge } from "./challenge.ts";
import type { SchemePolicy } from "./config.ts";
import { NetworkFailure, readErrorBody, StatusFailure } from "./failure.ts";
import { sendFollowing } from "./redirects.ts";
import { type HttpRequest, type HttpResponse, readAll, type Transport } from "./transport.ts";
import type { Credentials } from "./types.ts";

export interface SessionOptions {
  readonly transport: Transport;
  readonly policy: SchemePolicy;
  readonly clock: Clock;
  readonly userAgent: string;
  /** `host[:port]` of the registry, for messages. */
  readonly host: string;
  readonly repository: string;
  /** What a token must allow. Default: pulling from the repository. */
  readonly scopes?: readonly string[] | undefined;
  /** Asked at the first challenge, once. */
  readonly credentials: () => Promise<Credentials | undefined>;
}

/** Longest answer of a token server. */
const maxTokenBytes = 1024 * 1024;
/** A token is renewed this long before it ends, so that it does not end on the way. */
const renewEarlyMs = 5_000;

interface Authorization {
  readonly header: string;
  /** Milliseconds since 1970; absent for what never ends. */
  readonly expiresAt?: number | undefined;
}

export class Session {
  readonly #o: SessionOptions;
  #credentials: Promise<Credentials | undefined> | undefined;
  #challenge: Challenge | undefined;
  #current: Authorization | undefined;
  /** Several layers meet the same challenge at once; one of them fetches the token. */
  #renewal: Promise<Authorization> | undefined;
  #secrets: readonly string[] = [];
  /** True until a credential was used: then a refusal is not for the want of one. */
  isAnonymous = true;

  constructor(o: SessionOptions) {
    this.#o = o;
  }

  /** Passwords and tokens in use, to be kept out of messages. */
  get secrets(): readonly string[] {
    return this.#secrets;
  }

  /** The header to send now, `undefined` while nothing was asked for. Renews a token that is about to end. */
  async header(signal: AbortSignal | undefined): Promise<string | undefined> {
    const current = this.#current;
    if (current?.expiresAt === undefined || current.expiresAt - renewEarlyMs > this.#o.clock.now()) return current?.header;
    return this.#renew(signal);
  }

  /**
   * The header to send after a 401 answered a request with `sent`. `undefined` when there is nothing more to offer.
   * Throws {@link StatusFailure} when the token server refuses.
   */
  async answer(response: HttpResponse, sent: string | undefined, signal: AbortSignal | undefined): Promise<string | undefined> {
    if (this.#current !== undefined && this.#current.header !== sent) return this.#current.header;
    const challenge = parseChallenge(response.headers["www-authenticate"]);
    if (challenge === undefined || (challenge.scheme === "basic" && sent !== undefined)) return undefined;
    this.#challenge = challenge;
    const credentials = await this.#account(signal);
    if (challenge.scheme === "basic") {
      if (credentials === undefined) return undefined;
      this.#current = { header: this.#basic(credentials) };
      return this.#current.header;
    }
    return this.#renew(signal);
  }

  async #account(signal: AbortSignal | undefined): Promise<Credentials | undefined> {
    this.#credentials ??= this.#o.credentials().catch((error: unknown) => {
      // A config file or helper may be mended while we run.
      this.#credentials = undefined;
      throw error;
    });
    const credentials = await abandonable(this.#credentials, signal);
    this.isAnonymous = credentials === undefined;
    if (credentials !== undefined) this.#secrets = [...new Set([credentials.password, ...this.#secrets])];
    return credentials;
  }

  /** Not bound to the signal of the caller who happens to be first: the others wait for the same token. */
  async #renew(signal: AbortSignal | undefined): Promise<string> {
    this.#renewal ??= this.#fetchToken().finally(() => {
      this.#renewal = undefined;
    });
    return (await abandonable(this.#renewal, signal)).header;
  }

  async #fetchToken(): Promise<Authorization> {
    const credentials = await this.#account(undefined);
    const challenge = this.#challenge;
    if (challenge?.scheme !== "bearer") throw new NetworkFailure("refused", this.#o.host, "no token challenge to answer");
    const token = await this.#requestToken(challenge, credentials);
    this.#secrets = [...(credentials === undefined ? [] : [credentials.password]), token.value];
    this.#current = { header: `Bearer ${token.value}`, expiresAt: token.expiresAt };
    return this.#current;
  }

  async #requestToken(challenge: Challenge & { scheme: "bearer" }, credentials: Credentials | undefined): Promise<Token> {
    const realm = this.#realm(challenge);
    const scopes = this.#o.scopes ?? [`repository:${this.#o.repository}:pull`];
    const query = { service: challenge.service };
    if (credentials?.authType === "token") {
      const form = { ...query, scope: scopes.join(" "), grant_type: "refresh_token", refresh_token: credentials.password, client_id: "berth" };
      const response = await this.#post(realm, form);
      // The token may be meant for the registry itself, and not to be exchanged.
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        response.discard();
        return { value: credentials.password, expiresAt: undefined };
      }
      return this.#readToken(response);
    }
    for (const [key, value] of Object.entries({ ...query, account: credentials?.username })) {
      if (value !== undefined) realm.searchParams.set(key, value);
    }
    for (const scope of scopes) realm.searchParams.append("scope", scope);
    const headers = credentials === undefined ? {} : { authorization: this.#basic(credentials) };
    return this.#readToken(await this.#send({ method: "GET", url: realm, headers }));
  }

  /** The token server gets the credentials, so it must be as well protected as a registry. */
  #realm(challenge: Challenge & { scheme: "bearer" }): URL {
    const url = URL.parse(challenge.realm);
    if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
      throw new NetworkFailure("refused", this.#o.host, "the registry names no usable token server");
    }
    if (url.protocol === "http:" && this.#o.policy(url.host) === "https") {
      throw new NetworkFailure("refused", url.host, "a token server over plain http");
    }
    url.username = "";
    url.password = "";
    return url;
  }

  #post(url: URL, form: Readonly<Record<string, string | undefined>>): Promise<HttpResponse> {
    const fields = Object.entries(form).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
    const headers = { "content-type": "application/x-www-form-urlencoded", "user-agent": this.#o.userAgent };
    // Not followed anywhere: the body is the secret.
    return this.#o.transport.send({ method: "POST", url, headers, body: new URLSearchParams(Object.fromEntries(fields)).toString() });
  }

  #send(request: HttpRequest): Promise<HttpResponse> {
    const headers = { ...request.headers, "user-agent": this.#o.userAgent };
    return sendFollowing(this.#o.transport, { ...request, headers }, this.#o.policy);
  }

  async #readToken(response: HttpResponse): Promise<Token> {
    const bytes = await readAll(response, maxTokenBytes);
    const now = this.#o.clock.now();
    if (response.status !== 200) {
      if (response.status === 404) throw new NetworkFailure("refused", response.url.host, "the token server the registry names is not there");
      const retryAfterMs = parseRetryAfter(response.headers["retry-after"], now);
      throw new StatusFailure({ status: response.status, host: response.url.host, ...readErrorBody(bytes, this.#secrets), retryAfterMs });
    }
    const json = parseJson(bytes);
    const value = isRecord(json) ? (json["token"] ?? json["access_token"]) : undefined;
    if (!isRecord(json) || typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
      throw new NetworkFailure("refused", response.url.host, "the token server sent no token");
    }
    const lifetime = typeof json["expires_in"] === "number" && json["expires_in"] > 0 ? json["expires_in"] : 60;
    return { value, expiresAt: now + lifetime * 1000 };
  }

  #basic({ username, password }: Credentials): string {
    const encoded = Buffer.from(`${username}:${password}`).toString("base64");
    this.#secrets = [...new Set([...this.#secrets, password, encoded])];
    return `Basic ${encoded}`;
  }
}

interface Token {
  readonly value: string;
  readonly expiresAt: number | undefined;
}

/** Tells sessions of different accounts apart without keeping their secrets as keys. */
export function accountKey(credentials: Credentials | undefined): string {
  if (credentials === undefined) return "";
  return createHash("sha256")
    .update(JSON.stringify([credentials.username, credentials.password, credentials.authType]))
    .digest("hex");
}
