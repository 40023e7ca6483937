/** A `berth serve` of a test's own: its state, its socket, its process. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "./docker-cli.ts";

export interface BerthDaemon {
  readonly socket: string;
  readonly endpoint: string;
  readonly directory: string;
  readonly pid: number;
  /** What it said on stderr so far. */
  log(): string;
  /** Ends this process by a signal and waits for it. Containers and state stay. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Starts the next process on the same state. */
  again(): Promise<void>;
  /** Ends it, removes its containers and its state. */
  stop(): Promise<void>;
}

export interface BerthDaemonOptions {
  readonly args?: readonly string[];
  readonly backend?: string;
}

const root = join(import.meta.dirname, "..", "..");
const readyWithinMs = 60_000;

export async function startBerthDaemon(o: BerthDaemonOptions = {}): Promise<BerthDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "berth-daemon-"));
  const socket = join(directory, "docker.sock");
  const logFile = join(directory, "log");
  let child = await launch(directory, socket, logFile, o);
  const end = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
  };
  return {
    socket,
    endpoint: `unix://${socket}`,
    directory,
    get pid() {
      return child.pid ?? 0;
    },
    log: () => readFileSync(logFile, "utf8"),
    end,
    again: async () => {
      child = await launch(directory, socket, logFile, o);
    },
    stop: async () => {
      const env = { DOCKER_HOST: `unix://${socket}` };
      const { stdout } = await runCommand("docker", ["ps", "-aq"], { env });
      const left = stdout.split("\n").filter((id) => id !== "");
      if (left.length > 0) await runCommand("docker", ["rm", "-f", ...left], { env });
      await end();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function launch(directory: string, socket: string, logFile: string, o: BerthDaemonOptions): Promise<ChildProcess> {
  const log = openSync(logFile, "a");
  const offset = readFileSync(logFile).length;
  const args = [join(root, "src/cli/main.ts"), "serve", "-H", `unix://${socket}`, "--shutdown-timeout", "2", ...(o.args ?? [])];
  const env = { ...process.env, BERTH_ROOT: join(directory, "root"), BERTH_RUN_DIR: join(directory, "run"), BERTH_BACKEND: o.backend ?? "native" };
  const child = spawn(process.execPath, args, { stdio: ["ignore", log, log], env });
  closeSync(log);
  const deadline = Date.now() + readyWithinMs;
  while (!existsSync(socket) || !/ ready |"ready"/.test(readFileSync(logFile).subarray(offset).toString("utf8"))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`berth serve is not ready: ${readFileSync(logFile, "utf8").slice(-2000)}`);
    }
    await sleep(20);
  }
  return child;
}
