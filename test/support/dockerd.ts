/** A dockerd of a test's own: its data, sockets, containerd and control groups, nothing shared with one the host may run. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, removeControlGroup, unmountBelow, untilItAnswers } from "./engine-process.ts";

export interface Dockerd {
  readonly socket: string;
  /** As in `DOCKER_HOST`. */
  readonly endpoint: string;
  readonly pid: number;
  /** Ends it with everything it runs and keeps. Idempotent. */
  stop(): Promise<void>;
  /** As a power cut would. */
  kill(): Promise<void>;
}

/** Starts Debian's dockerd and waits until it answers. Wants net, mount and pid namespaces of the test's own. */
export async function startDockerd(): Promise<Dockerd> {
  const dir = mkdtempSync(join(tmpdir(), "berth-dockerd-"));
  const socket = join(dir, "docker.sock");
  const cgroup = `berth-dockerd-${dir.slice(-6)}`;
  const log = openSync(join(dir, "log"), "a");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "dockerd", ...argumentsOf(dir, socket, cgroup)], { stdio: ["ignore", log, log] });
  closeSync(log);
  const dockerd: Dockerd = {
    socket,
    endpoint: `unix://${socket}`,
    pid: child.pid ?? 0,
    stop: async () => {
      await end(child, "SIGTERM");
      cleanUp(dir, cgroup);
    },
    kill: () => end(child, "SIGKILL"),
  };
  try {
    await untilItAnswers(child, socket);
  } catch (cause) {
    const said = readFileSync(join(dir, "log"), "utf8").slice(-2000);
    await dockerd.stop();
    throw new Error(`dockerd does not start: ${said}`, { cause });
  }
  return dockerd;
}

function argumentsOf(dir: string, socket: string, cgroup: string): readonly string[] {
  mkdirSync(join(dir, "exec"), { recursive: true });
  // It would else leave a key in /etc.
  writeFileSync(join(dir, "daemon.json"), JSON.stringify({ "deprecated-key-path": join(dir, "key.json") }));
  return [
    ...["--data-root", join(dir, "data"), "--exec-root", join(dir, "exec"), "-H", `unix://${socket}`, "-p", join(dir, "pid")],
    ...["--storage-driver", "overlay2", "--cgroup-parent", `/${cgroup}`, "--config-file", join(dir, "daemon.json")],
  ];
}

function cleanUp(dir: string, cgroup: string): void {
  removeControlGroup(cgroup);
  unmountBelow(dir);
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
