/** A dockerd of the bench's own: its own data, sockets and containerd, nothing shared with one the host may run. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startChild, untilReady } from "./child.ts";
import { engineClient, type EngineClient } from "./engine-client.ts";

export interface Dockerd {
  readonly client: EngineClient;
  /** As in `DOCKER_HOST`. */
  readonly endpoint: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts dockerd with its data in `dataRoot` (absent: below `dir`) and waits until it answers. */
export async function startDockerd(dir: string, dataRoot = join(dir, "data")): Promise<Dockerd> {
  mkdirSync(dir, { recursive: true });
  const socket = join(dir, "docker.sock");
  const execRoot = join(dir, "exec");
  const args = ["--data-root", dataRoot, "--exec-root", execRoot, "-H", `unix://${socket}`, "-p", join(dir, "dockerd.pid"), "--storage-driver", "overlay2"];
  const groups = emptyParents();
  const child = startChild("dockerd", args, join(dir, "dockerd.log"));
  const client = engineClient(socket);
  const stop = async () => {
    client.close();
    await child.stop();
    rmSync(execRoot, { recursive: true, force: true });
    for (const group of groups) if (existsSync(group)) rmdirSync(group);
  };
  try {
    await untilReady(`dockerd (log: ${join(dir, "dockerd.log")})`, () => client.call("GET", "/_ping"));
  } catch (error) {
    await stop();
    throw error;
  }
  return { client, endpoint: `unix://${socket}`, pid: child.pid, stop };
}

/** The parent cgroups dockerd will make and never removes, as far as they are not there yet. */
function emptyParents(): string[] {
  const base = "/sys/fs/cgroup";
  const hierarchies = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [base, ...hierarchies.map(({ name }) => join(base, name))].map((path) => join(path, "docker")).filter((path) => !existsSync(path));
}
