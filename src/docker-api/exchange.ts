/** One HTTP request to an engine: sent, watched by an abort and a deadline, its answer or the reason why there is none. */
import { type Agent, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import type { Duplex } from "node:stream";
import { BerthError } from "../errors.ts";
import { onAbort } from "../internal/abort.ts";
import { connectionError } from "./engine-error.ts";

export interface ExchangeOptions {
  readonly agent: Agent;
  /** For messages: the endpoint. */
  readonly where: string;
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** `undefined` = none. */
  readonly deadlineMs?: number | undefined;
}

/** The answer's head. After `101` the socket is ours, with what came behind the head pushed back into it. */
export interface AnswerHead {
  readonly response: IncomingMessage;
  readonly upgraded?: Duplex | undefined;
}

export class Exchange {
  /** Settles once. */
  readonly head: Promise<AnswerHead>;
  readonly #o: ExchangeOptions;
  readonly #request: ClientRequest;
  readonly #abort: Disposable;
  readonly #timer: NodeJS.Timeout | undefined;
  #stopped: { readonly cause: unknown } | undefined;
  #answered = false;

  constructor(o: ExchangeOptions) {
    this.#o = o;
    const { promise, resolve, reject } = Promise.withResolvers<AnswerHead>();
    this.head = promise;
    const { agent, method, path, headers } = o;
    this.#request = request({ agent, method, path, headers });
    this.#request.once("response", (response) => {
      // It may be broken off before anybody reads it; who does hears of it.
      response.on("error", () => {});
      this.#answer(() => resolve({ response }));
    });
    this.#request.once("upgrade", (response, socket, rest) =>
      this.#answer(() => {
        if (rest.length > 0) socket.unshift(rest);
        resolve({ response, upgraded: socket });
      }),
    );
    // Stays after the answer: an upload that goes on may fail then, which its answer has already overtaken.
    this.#request.on("error", (error) => {
      reject(this.failure(error));
      if (!this.#answered) this.finish();
    });
    this.#timer = o.deadlineMs === undefined ? undefined : setTimeout(() => this.stop(this.#late()), o.deadlineMs);
    this.#abort = onAbort(o.signal, (reason) => this.stop(reason));
    void this.#send(o.body);
  }

  /** Whether the connection was used before: then it may have died while nobody looked. */
  get reused(): boolean {
    return this.#request.reusedSocket;
  }

  /** Ends the exchange; whoever waits gets the cause. */
  stop(cause: unknown): void {
    this.#stopped ??= { cause };
    // Without an error of its own: one would have no listener on the socket of an answer that came as a whole and was not read.
    this.#request.destroy();
    this.finish();
  }

  /** What {@link stop} was called with, if it was. */
  get stopped(): { readonly cause: unknown } | undefined {
    return this.#stopped;
  }

  /** The answer was read, or nobody wants it: no abort and no deadline any more. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#abort[Symbol.dispose]();
  }

  /** The answer streams on: only the abort is watched from here on. */
  endDeadline(): void {
    clearTimeout(this.#timer);
  }

  /** What a failure below means to the caller. */
  failure(error: unknown): unknown {
    if (this.#stopped !== undefined) return this.#stopped.cause;
    if (error instanceof BerthError) return error;
    return connectionError(this.#o.where, `${this.#o.method} ${this.#o.path}`, error);
  }

  #answer(resolve: () => void): void {
    this.#answered = true;
    resolve();
  }

  #late(): BerthError {
    const { method, path, where, deadlineMs = 0 } = this.#o;
    return new BerthError("timeout", `${method} ${path}: ${where} did not answer within ${deadlineMs} ms`, { timeoutMs: deadlineMs });
  }

  async #send(body: ExchangeOptions["body"]): Promise<void> {
    if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
      this.#request.end(body);
      return;
    }
    try {
      for await (const chunk of body) {
        if (this.#request.destroyed || this.#answered) return;
        if (!this.#request.write(chunk)) await this.#drained();
      }
      this.#request.end();
    } catch (thrown) {
      // The source failed: the engine must not take the beginning for the whole.
      this.stop(thrown);
    }
  }

  #drained(): Promise<void> {
    if (this.#request.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of ["drain", "close", "response"]) this.#request.off(event, done);
        resolve();
      };
      for (const event of ["drain", "close", "response"]) this.#request.once(event, done);
    });
  }
}
