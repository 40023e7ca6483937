/** JSON values one a line, as pull, push, load, events and stats answer (`application/json` or `application/x-ndjson`). */
import { BerthError } from "../errors.ts";

/** One line of any engine is far below this; more is kept from memory. */
export const maxJsonLineBytes: number = 4 * 1024 * 1024;

const newline = 0x0a;
const decoder = new TextDecoder();

export interface JsonLinesOptions {
  readonly maxLineBytes?: number | undefined;
}

/** Joins lines across chunk borders. Empty lines and carriage returns are passed over. */
export class JsonLinesDecoder {
  readonly #maxLineBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(o: JsonLinesOptions = {}) {
    this.#maxLineBytes = o.maxLineBytes ?? maxJsonLineBytes;
  }

  /** Throws `internal` for a line that is too long or no JSON. */
  *push(chunk: Uint8Array): Generator<unknown> {
    let rest = chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      this.#keep(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      yield* this.#take();
    }
    this.#keep(rest);
  }

  /** The last line, when it had no newline. Throws `internal` when it is cut off. */
  *end(): Generator<unknown> {
    yield* this.#take();
  }

  #keep(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxLineBytes) throw new BerthError("internal", `the engine sent a line of more than ${this.#maxLineBytes} bytes`);
    if (bytes.length > 0) this.#parts.push(bytes);
  }

  *#take(): Generator<unknown> {
    const [only] = this.#parts;
    const text = decoder.decode(this.#parts.length === 1 ? only : Buffer.concat(this.#parts));
    this.#parts = [];
    this.#bytes = 0;
    if (text.trim() !== "") yield parseJson(text);
  }
}

/** The values of a whole stream; the source is closed when the reader leaves. */
export async function* jsonLines(source: AsyncIterable<Uint8Array>, o: JsonLinesOptions = {}): AsyncGenerator<unknown> {
  const decoder = new JsonLinesDecoder(o);
  for await (const chunk of source) yield* decoder.push(chunk);
  yield* decoder.end();
}

/** One value as a line. */
export function encodeJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Throws `internal` with the beginning of what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const shown = JSON.stringify(text.slice(0, 80));
    throw new BerthError("internal", `the engine sent what is not JSON, or only a part of it: ${shown}${text.length > 80 ? "…" : ""}`, { cause });
  }
}
