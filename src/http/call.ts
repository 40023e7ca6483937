/** One request on its way through a handler: what was asked, and the ways to answer. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isRecord } from "../spec/descriptor.ts";
import type { Identity } from "./identity.ts";
import { parseJsonText, readJson } from "./json-body.ts";
import { drained, plainConnection, type RawConnection, upgradedConnection } from "./raw-connection.ts";
import { HttpError } from "./status.ts";

/** Set when the client asked for an upgrade that the route offers. */
export interface Upgrade {
  readonly protocol: "tcp" | "websocket";
  readonly socket: Socket;
  /** The request's body, then what the client sent after it. */
  readonly body: () => Promise<{ readonly body: Buffer; readonly rest: Buffer }>;
  readonly head: Buffer;
}

export interface CallFacts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Minor number of the Docker API version asked for: 24 to 47. */
  readonly apiVersion: number;
  readonly identity: Identity;
  readonly upgrade: Upgrade | undefined;
}

export class Call {
  readonly #facts: CallFacts;
  readonly query: URLSearchParams;
  readonly apiVersion: number;
  readonly identity: Identity;
  #abort: AbortController | undefined;
  #afterBody: Buffer | undefined;

  constructor(facts: CallFacts) {
    this.#facts = facts;
    this.query = facts.query;
    this.apiVersion = facts.apiVersion;
    this.identity = facts.identity;
  }

  get method(): string {
    return this.#facts.request.method ?? "GET";
  }

  get headers(): IncomingHttpHeaders {
    return this.#facts.request.headers;
  }

  /** The body as it arrives, of any length. */
  get body(): Readable {
    return this.#facts.request;
  }

  get request(): IncomingMessage {
    return this.#facts.request;
  }

  get upgrade(): Upgrade | undefined {
    return this.#facts.upgrade;
  }

  get isAnswered(): boolean {
    return this.#facts.response.headersSent;
  }

  param(name: string): string {
    return this.#facts.params[name] ?? "";
  }

  /** Fires when the client goes away before its answer is complete. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      const { response } = this.#facts;
      response.once("close", () => {
        if (!response.writableFinished) abort.abort(new HttpError(499, "the client went away"));
      });
      this.#facts.upgrade?.socket.once("close", () => abort.abort(new HttpError(499, "the client went away")));
      this.#abort = abort;
    }
    return this.#abort.signal;
  }

  /** The body as a JSON object; an absent body is an empty one. Throws 400 for anything else. */
  async json(): Promise<Readonly<Record<string, unknown>>> {
    const value = await this.#jsonValue();
    if (value === undefined || value === null) return {};
    if (!isRecord(value)) throw new HttpError(400, "the request body must be a JSON object");
    return value;
  }

  async #jsonValue(): Promise<unknown> {
    const { upgrade, request } = this.#facts;
    if (upgrade === undefined) return readJson(request, declaredLength(request));
    const { body, rest } = await upgrade.body();
    this.#afterBody = rest;
    return parseJsonText(body.toString("utf8"));
  }

  setHeader(name: string, value: string): void {
    this.#facts.response.setHeader(name, value);
  }

  answer(status: number, value: unknown): void {
    const text = JSON.stringify(value);
    this.#facts.response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    this.#facts.response.end(this.method === "HEAD" ? undefined : text);
  }

  text(status: number, text: string, contentType = "text/plain; charset=utf-8"): void {
    this.#facts.response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
    this.#facts.response.end(this.method === "HEAD" ? undefined : text);
  }

  empty(status = 204): void {
    this.#facts.response.writeHead(status, status === 204 || status === 304 ? {} : { "content-length": 0 });
    this.#facts.response.end();
  }

  /** Sends the header at once; what follows is written piece by piece. */
  begin(status: number, contentType: string): void {
    this.#facts.response.writeHead(status, { "content-type": contentType });
    this.#facts.response.flushHeaders();
  }

  /** Writes a piece of a begun answer; waits while the client is slower than we are. */
  write(bytes: Uint8Array | string): Promise<void> | undefined {
    const { response } = this.#facts;
    return response.destroyed || response.write(bytes) ? undefined : drained(response);
  }

  end(): void {
    this.#facts.response.end();
  }

  /** Cuts the connection: the only way left to say that a begun answer went wrong. */
  destroy(): void {
    this.#facts.response.destroy();
  }

  /** Streams bytes to their end; leaving early, because the client did, also leaves `source`. */
  async stream(contentType: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    this.begin(200, contentType);
    for await (const chunk of source) {
      if (this.#facts.response.destroyed) return;
      const wait = this.write(chunk);
      if (wait !== undefined) await wait;
    }
    this.end();
  }

  /** Turns the connection into a raw one, with 101 where the client asked for an upgrade. Read the body before. */
  hijack(contentType: string): RawConnection {
    const { upgrade, request, response } = this.#facts;
    if (upgrade?.protocol !== "tcp") return plainConnection(request, response, contentType);
    response.detachSocket(upgrade.socket);
    return upgradedConnection(upgrade.socket, this.#afterBody ?? upgrade.head, contentType);
  }

  /** Hands the bare socket over, for a protocol that answers the upgrade itself. */
  takeSocket(): { readonly socket: Socket; readonly head: Buffer } | undefined {
    const { upgrade, response } = this.#facts;
    if (upgrade === undefined) return undefined;
    response.detachSocket(upgrade.socket);
    return { socket: upgrade.socket, head: upgrade.head };
  }
}

export function declaredLength(request: IncomingMessage): number | undefined {
  const text = request.headers["content-length"];
  if (text !== undefined) return Number(text);
  return request.headers["transfer-encoding"] === undefined ? 0 : undefined;
}
