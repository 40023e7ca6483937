/**
 * The one client of the Engine API. Connections are kept and shared; a stream or an upgraded connection has one to itself.
 * A failure on the way is `internal` or `timeout`, never `not_found`; an answer of 400 and above is an {@link EngineError}.
 */
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { BerthError, isBerthError } from "../errors.ts";
import { abandonable } from "../internal/abort.ts";
import { isRecord } from "../spec/descriptor.ts";
import { AnswerBody, readText } from "./answer-body.ts";
import { negotiateApiVersion } from "./api-version.ts";
import { connectEngine, type ConnectOptions } from "./connect.ts";
import { endpointText, type EngineEndpoint } from "./endpoint.ts";
import { engineErrorFrom } from "./engine-error.ts";
import { type AnswerHead, Exchange, type ExchangeOptions } from "./exchange.ts";
import { parseJson } from "./json-lines.ts";
import { type Query, queryText } from "./query.ts";
import type { Received } from "./received.ts";

export interface EngineClientOptions extends ConnectOptions {
  readonly endpoint: EngineEndpoint;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Instead of negotiating. */
  readonly apiVersion?: string | undefined;
  /** Until an answer is complete, or a stream has begun. Default 60,000. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface RequestParameters {
  readonly query?: Query | undefined;
  /** Sent as JSON. */
  readonly json?: object | undefined;
  /** Sent as it comes; the engine's pace is the source's. */
  readonly upload?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's; `undefined` leaves that, 0 waits for ever. */
  readonly timeoutMs?: number | undefined;
}

export interface EngineStream {
  readonly headers: IncomingHttpHeaders;
  readonly body: AnswerBody;
}

type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

const maxJsonBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** An engine answers a ping at once; ssh has to log in first. */
const pingMs = 10_000;
const sshPingMs = 40_000;

export class EngineClient {
  readonly where: string;
  readonly #o: EngineClientOptions;
  readonly #agent: Agent;
  readonly #headers: OutgoingHttpHeaders;
  readonly #exchanges = new Set<Exchange>();
  readonly #upgraded = new Set<Duplex>();
  #version: Promise<string> | undefined;
  #closed = false;

  constructor(o: EngineClientOptions) {
    this.#o = o;
    this.where = endpointText(o.endpoint);
    this.#agent = new EngineAgent(o);
    this.#headers = { ...o.headers, host: o.endpoint.kind === "tcp" ? `${o.endpoint.host}:${o.endpoint.port}` : "docker" };
  }

  /** The version that is spoken; asks the engine once. */
  apiVersion(): Promise<string> {
    if (this.#o.apiVersion !== undefined) return Promise.resolve(this.#o.apiVersion);
    this.#version ??= this.#negotiate().catch((thrown: unknown) => {
      this.#version = undefined;
      throw thrown;
    });
    return this.#version;
  }

  /** An answer that is a JSON object. */
  async object<T extends object>(method: Method, path: string, p: RequestParameters = {}): Promise<Received<T>> {
    const value = await this.#json(method, path, p);
    if (!isRecord(value)) throw strange(method, path, "an object", value);
    return value as Received<T>;
  }

  /** An answer that is a JSON list of objects; `null` is an empty one. */
  async list<T extends object>(method: Method, path: string, p: RequestParameters = {}): Promise<readonly Received<T>[]> {
    const value = (await this.#json(method, path, p)) ?? [];
    if (!Array.isArray(value) || !value.every(isRecord)) throw strange(method, path, "a list of objects", value);
    return value.map((item: unknown) => item as Received<T>);
  }

  /** An answer whose body says nothing. Answers the status: 304 is success. */
  async done(method: Method, path: string, p: RequestParameters = {}): Promise<number> {
    const { response, body } = await this.#answer(method, path, p);
    await readText(body, maxJsonBytes);
    return response.statusCode ?? 0;
  }

  /** Headers alone. */
  async head(path: string, p: RequestParameters = {}): Promise<IncomingHttpHeaders> {
    const { response, body } = await this.#answer("HEAD", path, p);
    body.close();
    return response.headers;
  }

  /** An answer that is read as it comes, with no deadline from here on. */
  async stream(method: Method, path: string, p: RequestParameters = {}): Promise<EngineStream> {
    const { exchange, response, body } = await this.#answer(method, path, p);
    exchange.endDeadline();
    return { headers: response.headers, body };
  }

  /** An upgraded connection: bytes both ways, ending the writable half leaves the readable one open. */
  async upgrade(path: string, p: RequestParameters = {}): Promise<Duplex> {
    const upgrade = { connection: "Upgrade", upgrade: "tcp" };
    const { exchange, response, upgraded } = await this.#exchange("POST", path, { ...p, headers: { ...p.headers, ...upgrade } });
    if (upgraded === undefined) {
      const body = this.#bodyOf(exchange, response);
      if ((response.statusCode ?? 0) >= 300) throw await this.#refusal("POST", path, response.statusCode ?? 0, body);
      body.close();
      throw new BerthError("internal", `POST ${path}: ${this.where} did not upgrade the connection; is a proxy in between?`);
    }
    exchange.finish();
    this.#exchanges.delete(exchange);
    this.#upgraded.add(upgraded);
    upgraded.once("close", () => this.#upgraded.delete(upgraded));
    return upgraded;
  }

  /** Ends everything in flight with `aborted`. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const exchange of this.#exchanges) exchange.stop(this.#closedError());
    for (const socket of this.#upgraded) socket.destroy();
    this.#agent.destroy();
  }

  async #negotiate(): Promise<string> {
    const { exchange, response } = await this.#send("GET", "/_ping", { timeoutMs: this.#o.endpoint.kind === "ssh" ? sshPingMs : pingMs });
    const body = this.#bodyOf(exchange, response);
    const status = response.statusCode ?? 0;
    if (status >= 300) throw await this.#refusal("GET", "/_ping", status, body);
    await readText(body, maxErrorBytes);
    const offered = response.headers["api-version"];
    return negotiateApiVersion(this.where, Array.isArray(offered) ? offered[0] : offered);
  }

  async #json(method: Method, path: string, p: RequestParameters): Promise<unknown> {
    const { body } = await this.#answer(method, path, p);
    const text = await readText(body, maxJsonBytes);
    return text.trim() === "" ? undefined : parseJson(text);
  }

  async #answer(method: Method, path: string, p: RequestParameters): Promise<{ exchange: Exchange; body: AnswerBody } & AnswerHead> {
    const { exchange, response, upgraded } = await this.#exchange(method, path, p);
    if (upgraded !== undefined) {
      upgraded.destroy();
      throw new BerthError("internal", `${method} ${path}: ${this.where} upgraded a connection unasked`);
    }
    const body = this.#bodyOf(exchange, response);
    const status = response.statusCode ?? 0;
    if (status >= 300 && status !== 304) throw await this.#refusal(method, path, status, body);
    return { exchange, response, body };
  }

  async #exchange(method: Method, path: string, p: RequestParameters): Promise<{ exchange: Exchange } & AnswerHead> {
    p.signal?.throwIfAborted();
    const version = this.#o.apiVersion ?? (await abandonable(this.apiVersion(), p.signal));
    return await this.#send(method, `/v${version}${path}${queryText(p.query)}`, p);
  }

  async #send(method: Method, path: string, p: RequestParameters): Promise<{ exchange: Exchange } & AnswerHead> {
    const first = this.#start(method, path, p);
    try {
      return { exchange: first, ...(await first.head) };
    } catch (thrown) {
      // A kept connection may have died unnoticed. Reading twice is harmless; writing twice is not.
      const again = first.reused && (method === "GET" || method === "HEAD") && isBerthError(thrown, "internal");
      if (!again || this.#closed) throw thrown;
      const second = this.#start(method, path, p);
      return { exchange: second, ...(await second.head) };
    }
  }

  #start(method: Method, path: string, p: RequestParameters): Exchange {
    p.signal?.throwIfAborted();
    if (this.#closed) throw this.#closedError();
    const timeoutMs = p.timeoutMs ?? this.#o.answerTimeoutMs ?? 60_000;
    const exchange = new Exchange({
      agent: this.#agent,
      where: this.where,
      method,
      path,
      ...this.#content(p),
      signal: p.signal,
      deadlineMs: timeoutMs === 0 ? undefined : timeoutMs,
    });
    this.#exchanges.add(exchange);
    exchange.head.catch(() => this.#exchanges.delete(exchange));
    return exchange;
  }

  #content(p: RequestParameters): Pick<ExchangeOptions, "headers" | "body"> {
    const headers = { ...this.#headers, ...p.headers };
    if (p.json !== undefined) {
      const body = JSON.stringify(p.json);
      return { headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) }, body };
    }
    if (p.upload !== undefined) return { headers: { ...headers, "content-type": "application/x-tar" }, body: p.upload };
    return { headers, body: undefined };
  }

  #bodyOf(exchange: Exchange, response: AnswerHead["response"]): AnswerBody {
    return new AnswerBody(exchange, response, () => this.#exchanges.delete(exchange));
  }

  async #refusal(method: Method, path: string, status: number, body: AnswerBody): Promise<BerthError> {
    return engineErrorFrom(`${method} ${path}`, status, await readText(body, maxErrorBytes));
  }

  #closedError(): BerthError {
    return new BerthError("aborted", "the runtime was closed");
  }
}

/** Opens its connections to one endpoint, whatever a request's host is. */
class EngineAgent extends Agent {
  readonly #o: EngineClientOptions;

  constructor(o: EngineClientOptions) {
    super({ keepAlive: true, maxFreeSockets: 16 });
    this.#o = o;
  }

  override createConnection(): Duplex {
    return connectEngine(this.#o.endpoint, this.#o);
  }
}

function strange(method: Method, path: string, expected: string, value: unknown): BerthError {
  const shown = JSON.stringify(value)?.slice(0, 80) ?? "nothing";
  return new BerthError("internal", `${method} ${path}: the engine's answer is not ${expected} but ${shown}`);
}
