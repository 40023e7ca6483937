/** The body of an answer as a stream that can be left at any moment, also before the first read. */
import type { IncomingMessage } from "node:http";
import { BerthError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";

/** Bytes as they come. Errors are those of the exchange; leaving closes the connection. */
export class AnswerBody implements AsyncIterableIterator<Uint8Array> {
  readonly #exchange: Exchange;
  readonly #response: IncomingMessage;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #onEnd: () => void;
  #finished = false;

  constructor(exchange: Exchange, response: IncomingMessage, onEnd: () => void) {
    this.#exchange = exchange;
    this.#response = response;
    this.#source = response[Symbol.asyncIterator]();
    this.#onEnd = onEnd;
    response.once("close", () => this.#release());
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#finished) return { done: true, value: undefined };
    const { stopped } = this.#exchange;
    if (stopped !== undefined) {
      this.#finished = true;
      throw stopped.cause;
    }
    try {
      const step = await this.#source.next();
      if (step.done === true) this.#finished = true;
      return this.#finished ? { done: true, value: undefined } : step;
    } catch (error) {
      if (this.#finished) return { done: true, value: undefined };
      this.#finished = true;
      this.#response.destroy();
      throw this.#exchange.failure(error);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** A pending read ends as if the stream had ended. Idempotent. */
  close(): void {
    this.#finished = true;
    this.#response.destroy();
    this.#release();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #release(): void {
    this.#exchange.finish();
    this.#onEnd();
  }
}

/** The whole body as text. Throws `internal` when it exceeds the limit. */
export async function readText(body: AnswerBody, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new BerthError("internal", `the engine's answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const [only] = chunks;
  return decoder.decode(chunks.length === 1 ? only : Buffer.concat(chunks));
}

const decoder = new TextDecoder();
