/** Archives as people hand them in: any chunks, compressed with anything that Docker takes. */
import { spawn } from "node:child_process";
import { BerthError } from "../errors.ts";
import { childEnvironment } from "../internal/spawn.ts";
import { compressionOf, decompressed, startingWith } from "./decompress.ts";
import { malformed } from "./tar-header.ts";

/** Enough to tell what it is. */
const startBytes = 512;
const sliceBytes = 1024 * 1024;

/** A source of bytes in one piece or many, as a stream. */
export async function* byteChunks(source: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += sliceBytes) yield asBuffer(source.subarray(at, at + sliceBytes));
    return;
  }
  for await (const chunk of source) if (chunk.length > 0) yield asBuffer(chunk);
}

/** The uncompressed archive. Throws `pull_failed` for broken data, `unsupported` where the program that reads it is missing. */
export async function* plainArchive(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of decompressed(withoutForeignCompression(source))) yield chunk;
}

/** The same bytes, unless they are compressed with bzip2 or xz, which only programs of the host can read. */
export async function* withoutForeignCompression(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const start = await readStart(iterator);
    if (start.length === 0) return;
    const compression = compressionOf(start);
    const whole = startingWith(start, iterator);
    if (compression === "bzip2" || compression === "xz") yield* throughProgram(compression, whole);
    else yield* whole;
  } finally {
    await iterator.return?.();
  }
}

async function readStart(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let start: Buffer = Buffer.alloc(0);
  while (start.length < startBytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    start = start.length === 0 && next.value.length >= startBytes ? next.value : Buffer.concat([start, next.value]);
  }
  return start;
}

async function* throughProgram(program: "bzip2" | "xz", source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const child = spawn(program, ["-dc"], { stdio: ["pipe", "pipe", "pipe"], env: childEnvironment });
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => void (said.length < 16 && said.push(chunk)));
  child.stdin.on("error", () => {});
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.catch(() => {});
  const feeding = feed(child.stdin, source);
  feeding.catch(() => void child.kill("SIGKILL"));
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const code = await ended;
    await feeding;
    if (code !== 0) throw malformed(`broken compression: ${program} says ${Buffer.concat(said).toString().trim().slice(0, 200)}`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new BerthError(
        "unsupported",
        `the archive is compressed with ${program}, which is not installed; install it (Debian: apt install ${packages[program]})`,
      );
    throw error;
  } finally {
    child.kill("SIGKILL");
    await ended.catch(() => {});
  }
}

const packages = { bzip2: "bzip2", xz: "xz-utils" };

async function feed(stdin: NodeJS.WritableStream, source: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of source) {
    const isTaken = await new Promise<boolean>((resolve) => stdin.write(Buffer.from(chunk), (error) => resolve(error === undefined || error === null)));
    if (!isTaken) return;
  }
  stdin.end();
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
