/** One HTTP exchange at a time: connections that are kept, limits of time, aborts that let go of the socket. */
import { Agent as HttpAgent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { onAbort } from "../internal/abort.ts";
import { NetworkFailure, toNetworkFailure } from "./failure.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | RequestBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A body that is read while it is sent, and again when it has to be sent again. */
export interface RequestBody {
  readonly length: number;
  bytes(): AsyncIterable<Uint8Array>;
}

/** An answer whose body is read once, or let go by {@link HttpResponse.discard}. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  /** Throws a {@link NetworkFailure} when the connection breaks or falls silent, the signal's reason on abort. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): void;
}

export interface Transport {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Closes every connection. Idempotent. */
  close(): void;
}

export interface TransportOptions {
  readonly connectTimeoutMs: number;
  /** Longest silence, before the answer and between two pieces of it. */
  readonly idleTimeoutMs: number;
  /** Hosts whose certificate is not checked. */
  readonly trustsAnyCertificate: (host: string) => boolean;
}

interface Agents {
  readonly http: HttpAgent;
  readonly strict: HttpsAgent;
  readonly lax: HttpsAgent;
}

export function createTransport(o: TransportOptions): Transport {
  const keep = { keepAlive: true, maxFreeSockets: 8 };
  const agents: Agents = { http: new HttpAgent(keep), strict: new HttpsAgent(keep), lax: new HttpsAgent({ ...keep, rejectUnauthorized: false }) };
  return {
    send: (request) => send(request, agents, o),
    close: () => {
      for (const agent of [agents.http, agents.strict, agents.lax]) agent.destroy();
    },
  };
}

async function send(request: HttpRequest, agents: Agents, o: TransportOptions): Promise<HttpResponse> {
  for (;;) {
    request.signal?.throwIfAborted();
    const out = open(request, agents, o);
    try {
      return await answer(out, request, o);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      // The server closed a kept connection just as we took it: says nothing about the server, so take another one.
      if (!out.reusedSocket || !isReset(error)) throw toNetworkFailure(error, request.url.host);
    }
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

function open(request: HttpRequest, agents: Agents, o: TransportOptions): ClientRequest {
  const { url, method, body } = request;
  const secure = url.protocol === "https:";
  const options = {
    method,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      "accept-encoding": "identity",
      ...request.headers,
      ...(body === undefined ? {} : { "content-length": typeof body === "string" ? Buffer.byteLength(body) : body.length }),
    },
  };
  if (!secure) return httpRequest({ ...options, agent: agents.http });
  return httpsRequest({ ...options, agent: o.trustsAnyCertificate(url.host) ? agents.lax : agents.strict });
}

function answer(out: ClientRequest, request: HttpRequest, o: TransportOptions): Promise<HttpResponse> {
  const { host } = request.url;
  return new Promise((resolve, reject) => {
    const silence = (what: string): void => void out.destroy(new NetworkFailure("lost", host, what));
    let timer = setTimeout(silence, o.connectTimeoutMs, `no connection within ${o.connectTimeoutMs} ms`);
    const connected = (): void => {
      clearTimeout(timer);
      timer = setTimeout(silence, o.idleTimeoutMs, `no answer within ${o.idleTimeoutMs} ms`);
    };
    const aborted = onAbort(request.signal, (reason) => out.destroy(asError(reason)));
    let isAnswered = false;
    const settle = (): void => {
      clearTimeout(timer);
      aborted[Symbol.dispose]();
    };
    out.once("socket", (socket) => {
      if (out.reusedSocket) connected();
      else socket.once(request.url.protocol === "https:" ? "secureConnect" : "connect", connected);
    });
    out.once("response", (incoming) => {
      settle();
      isAnswered = true;
      // An answer that did not wait for the whole body is a refusal; the connection is of no further use.
      if (!out.writableEnded) incoming.once("close", () => out.destroy());
      resolve(response(incoming, request, o));
    });
    out.on("error", reject).once("close", () => {
      settle();
      reject(new NetworkFailure("lost", host, "the connection was closed before an answer came"));
    });
    const { body } = request;
    if (body === undefined || typeof body === "string") out.end(body);
    else sendBody(out, body, { onSent: () => timer.refresh(), isAnswered: () => isAnswered }).catch((error: unknown) => void out.destroy(asError(error)));
  });
}

/** As fast as the server takes it; being taken counts as a sign of life. */
async function sendBody(out: ClientRequest, body: RequestBody, o: { readonly onSent: () => void; readonly isAnswered: () => boolean }): Promise<void> {
  for await (const piece of body.bytes()) {
    if (o.isAnswered() || out.destroyed) return;
    if (!out.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          for (const event of ["drain", "close", "response"]) out.off(event, go);
          resolve();
        };
        for (const event of ["drain", "close", "response"]) out.on(event, go);
      });
    }
    o.onSent();
  }
  out.end();
}

function response(incoming: IncomingMessage, request: HttpRequest, o: TransportOptions): HttpResponse {
  // Without a listener of its own a connection that breaks while nobody reads would end the process.
  incoming.on("error", () => {});
  const aborted = onAbort(request.signal, (reason) => incoming.destroy(asError(reason)));
  const release = (): void => {
    aborted[Symbol.dispose]();
    if (!incoming.complete) incoming.destroy();
  };
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    url: request.url,
    body: pieces(incoming, request, o, release),
    discard: () => {
      aborted[Symbol.dispose]();
      // A short rest is read to keep the connection; a long one is not worth it.
      const isShort = request.method === "HEAD" || Number(incoming.headers["content-length"] ?? Number.POSITIVE_INFINITY) <= 65_536;
      if (isShort) drain(incoming, o.idleTimeoutMs);
      else release();
    },
  };
}

function drain(incoming: IncomingMessage, timeoutMs: number): void {
  const timer = setTimeout(() => incoming.destroy(), timeoutMs).unref();
  incoming.once("close", () => clearTimeout(timer)).resume();
}

/** The clock runs only while we wait for the server: a slow reader is no silence. */
async function* pieces(incoming: IncomingMessage, request: HttpRequest, o: TransportOptions, release: () => void): AsyncGenerator<Uint8Array> {
  const { host } = request.url;
  let isWaiting = true;
  const silence = (): void => {
    if (isWaiting) incoming.destroy(new NetworkFailure("lost", host, `no data for ${o.idleTimeoutMs} ms`));
  };
  const timer = setTimeout(silence, o.idleTimeoutMs);
  try {
    for await (const piece of incoming as AsyncIterable<Uint8Array>) {
      isWaiting = false;
      yield piece;
      isWaiting = true;
      timer.refresh();
    }
    if (!incoming.complete) throw new NetworkFailure("lost", host, "the connection ended too early");
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    throw toNetworkFailure(error, host);
  } finally {
    clearTimeout(timer);
    release();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** The body, or its first `limit` bytes. */
export async function readStart(answer: HttpResponse, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body) {
    parts.push(part);
    length += part.length;
    if (length >= limit) break;
  }
  return Buffer.concat(parts).subarray(0, limit);
}

/** The whole body when it is short enough. Throws {@link NetworkFailure} `refused` when it is longer than `limit` bytes. */
export async function readAll(answer: HttpResponse, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body) {
    length += part.length;
    if (length > limit) throw new NetworkFailure("refused", answer.url.host, `the answer is longer than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}
