/** Stops and continues all processes of a cgroup: the freezer of v2, or the controller of that name on v1. The kernel keeps the state. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeptFile } from "../../internal/kept-file.ts";
import { cgroupVersion, mountPoint } from "./cgroup.ts";

interface Freezer {
  readonly file: string;
  readonly freeze: string;
  readonly thaw: string;
  /** Where the kernel tells how far it is. */
  readonly state: string;
  readonly frozen: RegExp;
}

function freezerOf(cgroup: string): Freezer {
  if (cgroupVersion() === 2) {
    const directory = join(mountPoint, cgroup);
    return { file: join(directory, "cgroup.freeze"), freeze: "1", thaw: "0", state: join(directory, "cgroup.events"), frozen: /^frozen 1$/m };
  }
  const file = join(mountPoint, "freezer", cgroup, "freezer.state");
  return { file, freeze: "FROZEN", thaw: "THAWED", state: file, frozen: /^FROZEN$/m };
}

/** Whether it is frozen, or was asked to be: what a process does in between nobody can tell. */
export function isFrozen(cgroup: string): boolean {
  const { file } = freezerOf(cgroup);
  return /^(1|FROZEN|FREEZING)$/m.test(readText(file));
}

/** Resolves `true` once every process stands still; `false`, and thawed again, when some do not within `timeoutMs`. */
export async function freeze(cgroup: string, timeoutMs: number): Promise<boolean> {
  const freezer = freezerOf(cgroup);
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    // On v1 a process that forks meanwhile may escape: asking again catches it.
    writeFileSync(freezer.file, freezer.freeze);
    if (freezer.frozen.test(readText(freezer.state))) return true;
    if (performance.now() >= deadline) break;
    await sleep(pauseMs);
  }
  writeFileSync(freezer.file, freezer.thaw);
  return false;
}

/** Resolves once the kernel says that it goes on; `false` when that takes longer than `timeoutMs`. */
export async function thaw(cgroup: string, timeoutMs: number): Promise<boolean> {
  const freezer = freezerOf(cgroup);
  const deadline = performance.now() + timeoutMs;
  writeFileSync(freezer.file, freezer.thaw);
  for (let pauseMs = 1; isFrozen(cgroup) || freezer.frozen.test(readText(freezer.state)); pauseMs = Math.min(pauseMs * 2, 50)) {
    if (performance.now() >= deadline) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** Asks for it without waiting; nothing happens where the cgroup is gone. */
export function requestThaw(cgroup: string): void {
  const { file, thaw: value } = freezerOf(cgroup);
  try {
    writeFileSync(file, value);
  } catch {
    // Its processes are gone, and it with them.
  }
}

/** Three system calls, where `readFileSync` takes five: a list asks this of every container that runs. */
function readText(path: string): string {
  using file = new KeptFile(path);
  return file.read();
}
