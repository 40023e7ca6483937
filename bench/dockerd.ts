/** A dockerd of the bench's own: its own data, sockets and containerd, nothing shared with one the host may run. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { unmountBelow } from "../test/support/engine-process.ts";
import { type EngineProcess, startEngine } from "./engine-process.ts";

export interface DockerdOptions {
  /** Absent: below `dir`. */
  readonly dataRoot?: string;
  /** Containers go on while no dockerd runs, as they do with Berth. */
  readonly keepsContainers?: boolean;
}

/** Starts dockerd and waits until it answers. */
export async function startDockerd(dir: string, o: DockerdOptions = {}): Promise<EngineProcess> {
  mkdirSync(dir, { recursive: true });
  const [socket, execRoot, dataRoot] = [join(dir, "docker.sock"), join(dir, "exec"), o.dataRoot ?? join(dir, "data")];
  const paths = ["--data-root", dataRoot, "--exec-root", execRoot, "-H", `unix://${socket}`, "-p", join(dir, "dockerd.pid")];
  const groups = emptyParents();
  return startEngine({
    program: "dockerd",
    args: [...paths, "--storage-driver", "overlay2", ...(o.keepsContainers === true ? ["--live-restore"] : [])],
    socket,
    log: join(dir, "dockerd.log"),
    cleanUp: () => {
      // With containers that outlive it, dockerd leaves its data mounted onto itself.
      unmountBelow(dir);
      rmSync(execRoot, { recursive: true, force: true });
      for (const group of groups) if (existsSync(group)) rmdirSync(group);
    },
  });
}

/** The parent cgroups dockerd will make and never removes, as far as they are not there yet. */
function emptyParents(): string[] {
  const base = "/sys/fs/cgroup";
  const hierarchies = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [base, ...hierarchies.map(({ name }) => join(base, name))].map((path) => join(path, "docker")).filter((path) => !existsSync(path));
}
