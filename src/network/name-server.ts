/**
 * The name server of user-defined networks: one aardvark-dns for each state directory, which listens on the bridges' own
 * addresses. Its files are a function of the records, so `sync` may be called by anybody at any time; a lock makes it one at
 * a time. The server starts with the first container that needs it and ends with the last: also when no engine is alive, by
 * `exitScript`.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BerthError, messageOf } from "../errors.ts";
import { FileLock } from "../internal/file-lock.ts";
import { errnoCode } from "../internal/libc.ts";
import { childEnvironment } from "../internal/spawn.ts";
import type { NetworkContext } from "./context.ts";
import { knowsName } from "./name-query.ts";
import { type ContainerNames, type NameServerConfig, nameServerConfig } from "./name-server-config.ts";
import { defaultNetwork } from "./names.ts";
import { probePort } from "./port-probe.ts";
import type { Endpoint } from "./types.ts";

const program = "aardvark-dns";
const pidFile = "aardvark.pid";
/** Where the packages of Debian and Fedora put it; it is no command for people. */
const directories = ["/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman", "/usr/local/libexec/podman"];
const patienceMs = 10_000;
const questionMs = 200;

export interface NameServerOptions {
  /** For files; gone after a reboot. */
  readonly directory: string;
  readonly describe: (key: string) => ContainerNames | undefined;
  readonly onWarning: (text: string) => void;
}

export class NameServer {
  readonly #context: NetworkContext;
  readonly #o: NameServerOptions;
  readonly #config: string;
  readonly #loaded: string;
  #hasWarned = false;

  constructor(context: NetworkContext, o: NameServerOptions) {
    this.#context = context;
    this.#o = o;
    this.#config = o.directory;
    this.#loaded = `${o.directory}.loaded`;
  }

  /** Addresses to write into a container's resolv.conf; none when its networks have no names, or nobody can serve them. */
  addressesFor(endpoints: readonly Endpoint[]): string[] {
    const named = endpoints.filter(({ network }) => network !== defaultNetwork);
    return named.length === 0 || findNameServer() === undefined ? [] : named.map(({ gateway }) => gateway);
  }

  /** Whether there is anything to do for a container with these endpoints. */
  concerns(endpoints: readonly Pick<Endpoint, "network">[]): boolean {
    return endpoints.some(({ network }) => network !== defaultNetwork);
  }

  /**
   * Makes the server know what the records say; answers once it does. What goes wrong is a warning, since names are not worth a
   * container, and `false`.
   */
  async sync(): Promise<boolean> {
    try {
      using _lock = await this.#lock();
      await this.#bringUp(nameServerConfig(this.#context, this.#o.describe));
      return true;
    } catch (error) {
      this.#o.onWarning(`names of containers do not resolve: ${messageOf(error)}`);
      return false;
    }
  }

  /** After a crash: only where a server has been, or is wanted. */
  async recover(): Promise<void> {
    if (existsSync(this.#config) || nameServerConfig(this.#context, this.#o.describe).files.size > 0) await this.sync();
  }

  /** The lock's file is shared with {@link exitScript}. */
  #lock(): Promise<FileLock> {
    return FileLock.acquire(`${this.#config}.lock`);
  }

  async #bringUp(wanted: NameServerConfig): Promise<void> {
    const pid = this.#pid();
    if (wanted.files.size === 0) return await this.#end(pid);
    if (pid !== undefined && readOrEmpty(this.#loaded) === wanted.mark) return;
    const path = findNameServer();
    if (path === undefined) return this.#warnMissing();
    const known = existsSync(this.#config) && pid !== undefined ? this.#fileNames() : [];
    for (const [file, address] of wanted.addresses) if (!known.includes(file)) requireFreePort(address);
    rmSync(this.#loaded, { force: true });
    this.#write(wanted.files);
    if (pid === undefined) await this.#start(path);
    else process.kill(pid, "SIGHUP");
    await this.#heard(wanted);
    writeFileSync(this.#loaded, wanted.mark);
  }

  /** Whole files appear at once, from beside the directory: the server reads whatever lies in it. */
  #write(files: ReadonlyMap<string, string>): void {
    mkdirSync(this.#config, { recursive: true, mode: 0o700 });
    for (const [name, text] of files) {
      writeFileSync(`${this.#config}.new`, text);
      renameSync(`${this.#config}.new`, join(this.#config, name));
    }
    for (const name of this.#fileNames()) if (!files.has(name)) rmSync(join(this.#config, name), { force: true });
  }

  async #start(path: string): Promise<void> {
    rmSync(join(this.#config, pidFile), { force: true });
    const child = spawn(path, ["--config", this.#config, "--port", "53", "run"], { stdio: "ignore", env: childEnvironment, cwd: "/", detached: true });
    const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("exit", resolve));
    if (code !== 0) throw new BerthError("network", `${path} ended with ${code}`);
  }

  async #heard({ addresses, mark }: NameServerConfig): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (const address of addresses.values()) {
      while (!(await knowsName(address, mark, questionMs))) {
        if (this.#pid() === undefined) throw new BerthError("network", `${program} ended; is something else listening on port 53 of ${address}?`);
        if (Date.now() > deadline) throw new BerthError("network", `${program} does not answer on port 53 of ${address}; is something else listening there?`);
        await delay(2);
      }
    }
  }

  /** Without files it ends by itself. */
  async #end(pid: number | undefined): Promise<void> {
    if (!existsSync(this.#config)) return;
    rmSync(this.#loaded, { force: true });
    for (const name of this.#fileNames()) rmSync(join(this.#config, name), { force: true });
    if (pid !== undefined) process.kill(pid, "SIGHUP");
    const deadline = Date.now() + patienceMs;
    while (this.#pid() !== undefined && Date.now() < deadline) await delay(2);
    const stuck = this.#pid();
    if (stuck !== undefined) process.kill(stuck, "SIGKILL");
    rmSync(this.#config, { recursive: true, force: true });
  }

  #fileNames(): string[] {
    return readdirSync(this.#config).filter((name) => name !== pidFile);
  }

  /** Of our server, if it lives. */
  #pid(): number | undefined {
    const pid = Number(readOrEmpty(join(this.#config, pidFile)) || Number.NaN);
    if (!Number.isInteger(pid)) return undefined;
    const command = readOrEmpty(`/proc/${pid}/cmdline`).split("\0");
    return command[0]?.endsWith(program) && command.includes(this.#config) ? pid : undefined;
  }

  #warnMissing(): void {
    if (!this.#hasWarned) this.#o.onWarning(`names of containers do not resolve: ${program} is not installed; apt-get install -y ${program}`);
    this.#hasWarned = true;
  }
}

/** It would not tell: a server that cannot listen on one address goes on with the others. */
function requireFreePort(address: string): void {
  try {
    probePort("udp", address, 53);
  } catch (cause) {
    if (errnoCode(cause) !== "EADDRINUSE") return;
    throw new BerthError("network", `port 53 of ${address} is taken by another server of this host; let that listen on its own addresses only`, { cause });
  }
}

/** Absolute path; `undefined` when it is not installed. */
export function findNameServer(): string | undefined {
  const places = [...directories, ...(childEnvironment.PATH ?? "").split(delimiter)].map((directory) => join(directory, program));
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return path.startsWith("/");
    } catch {
      return false;
    }
  });
}

/**
 * For sh, with the directory and the container's hex id as arguments: takes the container out of the files, and the
 * server with the last one. It does what `sync` does, for when no engine is alive; after an engine it finds nothing to do.
 */
export const exitScript = `
grep -qs "^$2 " "$1"/* || exit 0
exec 9>>"$1.lock"; flock 9
[ -d "$1" ] || exit 0
changed=
for file in "$1"/*; do
  case $file in */${pidFile}) continue ;; esac
  grep -q "^$2 " "$file" 2>/dev/null || continue
  changed=1
  grep -v "^$2 " "$file" >"$1.new"
  if grep -q "^[0-9a-f]\\{64\\} " "$1.new"; then mv "$1.new" "$file"; else rm -f "$file" "$1.new"; fi
done
[ -n "$changed" ] || exit 0
rm -f "$1.loaded"
pid=$(cat "$1/${pidFile}") || exit 0
[ "$(cat "/proc/$pid/comm")" = ${program} ] || exit 0
kill -HUP "$pid"
# Nobody changes the files while it reads them.
sleep 0.05
`;

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
