/**
 * Rotation of a container's log. The file conmon writes to gets a number, then conmon is told to begin a new one: until it does,
 * it goes on in the numbered one, so no line is lost, and whoever reads knows by the new file that the old one is complete.
 *
 * Without an engine alive nobody rotates. For that conmon has a hard limit of its own: it replaces its file there, and of the one
 * before only a second name, which we keep, is left.
 */
import { existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileLock } from "../../internal/file-lock.ts";
import type { LogsConfig } from "../../spec/service-spec.ts";
import type { ContainerPaths } from "./layout.ts";
import { heldPath, type LogFile, logFiles, nextNumber } from "./log-files.ts";
import { reopenLog } from "./monitor-control.ts";

const smallestFileBytes = 4 * 1024;
const hardLimitSlackBytes = 64 * 1024 * 1024;
const reopenPatienceMs = 2_000;
/** conmon closes one file and makes the next at once; a longer break means that there was one in between. */
const longestBreakMs = 50;

/** Size at which a file is rotated: all files together stay within `maxSizeBytes`. */
export function fileLimitBytes(logs: LogsConfig): number {
  return Math.max(smallestFileBytes, Math.floor(logs.maxSizeBytes / Math.max(2, logs.maxFiles)));
}

/** Where conmon replaces its file although nobody rotated it. */
export function hardLimitBytes(logs: LogsConfig): number {
  return Math.min(2 * logs.maxSizeBytes + hardLimitSlackBytes, Number.MAX_SAFE_INTEGER);
}

/** After conmon made a new file: a second name for it. */
export function holdLog(path: string): void {
  try {
    if (statSync(heldPath(path), { throwIfNoEntry: false })?.ino === statSync(path).ino) return;
    keepWhatConmonReplaced(path);
    rmSync(heldPath(path), { force: true });
    linkSync(path, heldPath(path));
  } catch {
    // Without it the log is a file shorter after conmon's own rotation.
  }
}

/** Rotates when it is time and no other process does. Also mends what a rotation that was cut off left. */
export async function rotateLog(paths: ContainerPaths, logs: LogsConfig): Promise<void> {
  if (!existsSync(paths.bundle)) return;
  using lock = FileLock.tryAcquire(join(paths.bundle, "log.lock"));
  if (lock === undefined) return;
  keepWhatConmonReplaced(paths.log);
  const current = statSync(paths.log, { throwIfNoEntry: false });
  if (current === undefined || current.size >= fileLimitBytes(logs)) {
    if (current !== undefined) renameSync(paths.log, `${paths.log}.${nextNumber(paths.log)}`);
    if (reopenLog(paths.controlFifo)) await appearance(paths.log);
  }
  holdLog(paths.log);
  trimLog(paths.log, logs);
}

async function appearance(path: string): Promise<void> {
  const deadline = Date.now() + reopenPatienceMs;
  for (let pauseMs = 1; !existsSync(path) && Date.now() < deadline; pauseMs = Math.min(pauseMs * 2, 20)) await sleep(pauseMs);
}

/** conmon reached its hard limit while nobody rotated: its file before the present one is there under its second name only. */
function keepWhatConmonReplaced(path: string): void {
  const files = logFiles(path);
  const held = files.find((file) => file.path === heldPath(path));
  if (held === undefined) return;
  const current = statSync(path, { throwIfNoEntry: false });
  const hasGap = current !== undefined && current.birthtimeMs > 0 && current.birthtimeMs - held.modifiedMs > longestBreakMs;
  if (!hasGap) return renameSync(held.path, `${path}.${nextNumber(path)}`);
  // More than one file came in between: what is older than the gap would read as if nothing were missing.
  for (const file of files) if (file.path !== path) rmSync(file.path, { force: true });
}

/** Removes the oldest numbered files until the log is within its bounds again. */
export function trimLog(path: string, logs: LogsConfig): void {
  const files = logFiles(path);
  const oldestMs = Date.now() - logs.retentionSecs * 1000;
  let bytes = files.filter(({ number }) => number === undefined).reduce((sum, { size }) => sum + size, 0);
  let count = 1;
  for (const file of files.filter(isNumbered).reverse()) {
    bytes += file.size;
    count += 1;
    if (count > Math.max(2, logs.maxFiles) || bytes > logs.maxSizeBytes || file.modifiedMs < oldestMs) rmSync(file.path, { force: true });
  }
}

function isNumbered(file: LogFile): boolean {
  return file.number !== undefined;
}
