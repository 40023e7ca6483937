/** `berth serve -H fd://` as systemd starts it: the listening socket is there before it and after it, and it tells how it is. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DgramSocket } from "node-unix-socket";
import { runCommand } from "./docker-cli.ts";
import { until } from "./scenarios.ts";

/** Holds descriptor 3 and starts the daemon once per line it reads, one after the other. */
const supervisor = `
while read -r line; do
  sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" & pid=$!
  echo "started $pid"
  wait $pid
  echo "ended $?"
done`;

export interface ActivatedDaemon {
  readonly directory: string;
  /** Path of the unix socket, or port on 127.0.0.1. */
  readonly address: string | number;
  /** What the daemon told systemd so far, over all its lives. */
  readonly states: readonly string[];
  log(): string;
  /** Starts the next process and answers its pid; does not wait until it is ready. */
  start(): Promise<number>;
  /** Ends the process and answers its exit code; the socket stays open. */
  end(signal: NodeJS.Signals): Promise<number>;
  close(): Promise<void>;
}

export interface ActivationOptions {
  readonly on: "unix" | "tcp";
  readonly backend: string;
  readonly args?: readonly string[];
  /** The notification socket lies in the abstract name space. */
  readonly isAbstract?: boolean;
}

export async function activateDaemon(o: ActivationOptions): Promise<ActivatedDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "berth-activated-"));
  const notifyPath = o.isAbstract === true ? `@${directory}/notify` : join(directory, "notify");
  const states: string[] = [];
  const notify = new DgramSocket();
  notify.bind(notifyPath.replace(/^@/, "\0"));
  notify.on("data", (bytes: Buffer) => states.push(...bytes.toString("utf8").split("\n")));
  const { server, address } = await listening(o.on, directory);
  const holder = hold(server, directory, notifyPath, o);
  const said: string[] = [];
  createInterface({ input: holder.stdout as NonNullable<ChildProcess["stdout"]> }).on("line", (line) => said.push(line));
  let pid = 0;
  const nextLine = async (what: string): Promise<string> => {
    await until(`the supervisor says ${what}`, () => said[0]?.startsWith(what) === true || holder.exitCode !== null);
    return said.shift()?.split(" ")[1] ?? "";
  };
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    process.kill(pid, signal);
    const code = Number(await nextLine("ended"));
    pid = 0;
    return code;
  };
  return {
    directory,
    address,
    states,
    log: () => readFileSync(join(directory, "log"), "utf8"),
    start: async () => {
      holder.stdin?.write("start\n");
      return (pid = Number(await nextLine("started")));
    },
    end,
    close: async () => {
      if (pid !== 0 && o.on === "unix") await removeContainers(String(address));
      if (pid !== 0 && said.length === 0) await end("SIGTERM");
      holder.stdin?.end();
      if (holder.exitCode === null) await once(holder, "exit");
      notify.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function hold(server: Server, directory: string, notifyPath: string, o: ActivationOptions): ChildProcess {
  const main = join(import.meta.dirname, "..", "..", "src/cli/main.ts");
  const command = [process.execPath, main, "serve", "-H", "fd://", "--shutdown-timeout", "2", ...(o.args ?? [])];
  const env = {
    ...process.env,
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: "berth.socket",
    NOTIFY_SOCKET: notifyPath,
    BERTH_ROOT: join(directory, "root"),
    BERTH_RUN_DIR: join(directory, "run"),
    BERTH_BACKEND: o.backend,
  };
  const log = openSync(join(directory, "log"), "a");
  const holder = spawn("sh", ["-c", supervisor, "sh", ...command], { stdio: ["pipe", "pipe", log, descriptorOf(server)], env });
  closeSync(log);
  // The supervisor has its own descriptor of the socket, and we must not take its clients.
  server.close();
  return holder;
}

async function listening(kind: "unix" | "tcp", directory: string): Promise<{ server: Server; address: string | number }> {
  const server = createServer();
  const path = join(directory, "docker.sock");
  if (kind === "tcp") server.listen(0, "127.0.0.1");
  else server.listen(`${path}.first`);
  await once(server, "listening");
  const bound = server.address();
  if (typeof bound === "object" && bound !== null) return { server, address: bound.port };
  // Closing the server would take the name away, but not this one.
  renameSync(`${path}.first`, path);
  return { server, address: path };
}

function descriptorOf(server: Server): number {
  const handle = "_handle" in server ? server._handle : undefined;
  if (typeof handle !== "object" || handle === null || !("fd" in handle) || typeof handle.fd !== "number") throw new Error("the server has no descriptor");
  return handle.fd;
}

async function removeContainers(socket: string): Promise<void> {
  const env = { DOCKER_HOST: `unix://${socket}` };
  const left = (await runCommand("docker", ["ps", "-aq"], { env })).stdout.split("\n").filter((id) => id !== "");
  if (left.length > 0) await runCommand("docker", ["rm", "-f", ...left], { env });
}
