/** A dockerd of a test's own: its data, sockets, containerd and control groups, nothing shared with one the host may run. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

const readyWithinMs = 90_000;
const stopWithinMs = 30_000;

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

async function untilItAnswers(child: ChildProcess, socket: string): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await answersPing(socket)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no answer");
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: "/_ping", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("error", () => resolve(false));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
  await gone;
  clearTimeout(timer);
}

function cleanUp(dir: string, cgroup: string): void {
  const base = "/sys/fs/cgroup";
  const hierarchies = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const path of [base, ...hierarchies.map(({ name }) => join(base, name))].map((parent) => join(parent, cgroup))) removeGroups(path);
  unmountBelow(dir);
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** What a container that would not end has left mounted, in the namespaces of this test. Last mounted first. */
export function unmountBelow(dir: string): void {
  const targets = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((target) => target.startsWith(`${dir}/`));
  for (const target of targets.reverse()) spawnSync("umount", ["-l", target]);
}

/** Deepest first. A group that still holds a process stays; the namespaces take that with them. */
function removeGroups(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // Busy.
  }
}
