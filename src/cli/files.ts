/** Files a user names: failures say which file, in the words of the system. */
import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { getSystemErrorMessage } from "node:util";
import { CliError } from "./failure.ts";

const readBytes = 1024 * 1024;

/** The bytes of a file that can be opened. */
export async function openInput(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    return (await open(path, "r")).createReadStream({ highWaterMark: readBytes });
  } catch (cause) {
    throw fileError("open", path, cause);
  }
}

/** The file is there when all of it is: a failure leaves what was there before. */
export async function writeWhole(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  const file = await open(partial, "wx", 0o600).catch((cause: unknown) => {
    throw fileError("write", path, cause);
  });
  try {
    await pipeline(bytes, file.createWriteStream());
    await rename(partial, path).catch((cause: unknown) => {
      throw fileError("write", path, cause);
    });
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function fileError(what: "open" | "write", path: string, cause: unknown): CliError {
  const errno = cause instanceof Error && "errno" in cause ? Number(cause.errno) : undefined;
  return new CliError(`cannot ${what} ${path}: ${errno === undefined ? String(cause) : getSystemErrorMessage(errno)}`, 1, { cause });
}
