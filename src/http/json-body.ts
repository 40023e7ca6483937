/** Reads a JSON request body without trusting it: a size, a depth and a time limit, and no key that could reach a prototype. */
import type { Readable } from "node:stream";
import { HttpError } from "./status.ts";

/** Bytes, text and parsed value together stay far below the 32 MB that one request may hold. */
export const maxJsonBytes = 2 * 1024 * 1024;
const maxDepth = 64;
/** Longest silence of a client that owes a body. */
const idleMs = 30_000;

/** `undefined` for an empty body. Throws `HttpError` 400, 408 or 413. */
export async function readJson(source: Readable, declaredBytes: number | undefined): Promise<unknown> {
  return parseJsonText((await readBytes(source, declaredBytes)).toString("utf8"));
}

export async function readBytes(source: Readable, declaredBytes: number | undefined, limit = maxJsonBytes): Promise<Buffer> {
  if (declaredBytes === 0) return Buffer.alloc(0);
  if (declaredBytes !== undefined && declaredBytes > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let length = 0;
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  const timer = setTimeout(() => late.reject(new HttpError(408, "the request body did not arrive in time")), idleMs);
  // Leaving early must not hang up: the client is told why.
  const arriving = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const next = (): Promise<IteratorResult<Buffer>> => Promise.race([arriving.next(), late.promise]);
  try {
    for (let piece = await next(); piece.done !== true; piece = await next()) {
      timer.refresh();
      length += piece.value.length;
      if (length > limit) throw tooLarge(limit);
      chunks.push(piece.value);
    }
  } catch (cause) {
    throw cause instanceof HttpError ? cause : new HttpError(400, "the request body ended early", { cause });
  } finally {
    clearTimeout(timer);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, `the request body is larger than ${limit} bytes`);
}

export function parseJsonText(text: string): unknown {
  if (text.trim() === "") return undefined;
  if (depthOf(text) > maxDepth) throw new HttpError(400, `invalid JSON: more than ${maxDepth} levels deep`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, `invalid JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (/__proto__|\\u/i.test(text)) refuseProto(value);
  return value;
}

/** How deep brackets nest, outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === backslash && inString) i++;
    else if (code === quote) inString = !inString;
    else if (inString) continue;
    else if (code === openBrace || code === openBracket) deepest = Math.max(deepest, ++depth);
    else if (code === closeBrace || code === closeBracket) depth--;
  }
  return deepest;
}

const [backslash, quote, openBrace, openBracket, closeBrace, closeBracket] = [92, 34, 123, 91, 125, 93];

function refuseProto(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) throw new HttpError(400, 'invalid JSON: the key "__proto__" is not allowed');
  for (const inner of Object.values(value)) refuseProto(inner);
}
