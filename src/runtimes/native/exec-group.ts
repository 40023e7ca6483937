/**
 * A cgroup of its own for one exec, below the container's: whatever the exec'd program starts, also what turned its back on it,
 * can be reached and ended. No controller is used in it, so the container's limits hold as before; and only the container
 * itself, whose groups these are, can see its name.
 *
 * crun enters the group of that name in every hierarchy where there is one and forgets the container's in the others, so on v1
 * it gets one in each. runc takes a single one.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OciRuntime } from "../../oci/runtime-command.ts";
import { cgroupDirectories, cgroupProcesses, cgroupVersion, killCgroup, mountPoint } from "./cgroup.ts";

export class ExecGroup {
  /** What the OCI runtime is told. */
  readonly argument: string;
  readonly #path: string;
  readonly #directories: readonly string[];

  private constructor(path: string, argument: string, directories: readonly string[]) {
    this.#path = path;
    this.argument = argument;
    this.#directories = directories;
  }

  /** `undefined` when the OCI runtime cannot use one. */
  static make(oci: OciRuntime, container: string, name: string): ExecGroup | undefined {
    if (oci.execCgroup !== true) return undefined;
    const isNarrow = cgroupVersion() === 1 && oci.name.startsWith("runc");
    const parents = isNarrow ? [join(mountPoint, "pids", container)] : cgroupDirectories(container);
    const directories = parents.map((parent) => join(parent, name));
    for (const directory of directories) makeGroup(directory);
    return new ExecGroup(join(container, name), isNarrow ? `pids:${name}` : name, directories);
  }

  /** Sends a signal to every process in it; SIGKILL in one go where the kernel can. */
  signal(signal: number): void {
    if (signal === 9) return killCgroup(this.#path);
    for (const pid of cgroupProcesses(this.#path)) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended in between.
      }
    }
  }

  get isEmpty(): boolean {
    return cgroupProcesses(this.#path).length === 0;
  }

  /** What still runs in it, as a child that outlives its exec, keeps it until the container ends. */
  remove(): void {
    for (const directory of this.#directories) {
      try {
        rmdirSync(directory);
      } catch {
        // In use, or gone with the container's.
      }
    }
  }
}

function makeGroup(directory: string): void {
  mkdirSync(directory);
  if (cgroupVersion() === 2) return;
  // On v1 nothing may enter a group before it has processors and memory nodes.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (existsSync(join(directory, file))) writeFileSync(join(directory, file), readFileSync(join(directory, "..", file)));
  }
}
