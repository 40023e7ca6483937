import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

/**
 * Bytes of all files below a directory, a file with several links counted once; 0 where nothing is. Symbolic links are
 * never followed. What disappears meanwhile does not count.
 */
export function sizeOfTree(directory: string, seen: Set<string> = new Set()): number {
  let total = 0;
  const pending = [directory];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else total += sizeOfFile(path, seen);
    }
  }
  return total;
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function sizeOfFile(path: string, seen: Set<string>): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (found.nlink > 1) {
    const inode = `${found.dev}:${found.ino}`;
    if (seen.has(inode)) return 0;
    seen.add(inode);
  }
  return found.size;
}

const workerFile = new URL(`./tree-size-worker${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

/** The size of each directory, in that order, found in a thread of its own: large trees take seconds. An abort ends it. */
export async function sizesOfTrees(directories: readonly string[], signal?: AbortSignal): Promise<readonly number[]> {
  signal?.throwIfAborted();
  if (directories.length === 0) return [];
  const worker = new Worker(workerFile, { name: "berth-tree-size", execArgv: [], workerData: directories, trackUnmanagedFds: false });
  const done = Promise.withResolvers<readonly number[]>();
  const stop = (): void => done.reject(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  worker.once("message", done.resolve).once("error", done.reject);
  worker.once("exit", (code) => done.reject(new Error(`the thread that measures directories ended with ${code}`)));
  try {
    return await done.promise;
  } finally {
    signal?.removeEventListener("abort", stop);
    await worker.terminate();
  }
}
