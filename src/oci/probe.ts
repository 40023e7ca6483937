/** Which OCI runtime works on this host: decided by running a container with it, never by a version string (DESIGN section 2). */
import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { BerthError, messageOf } from "../errors.ts";
import { childEnvironment, run, runToEnd } from "../internal/spawn.ts";
import { isRecord } from "../spec/descriptor.ts";
import { rlimitInfinity } from "../spec/runtime-spec.ts";
import { standardMounts } from "./mounts.ts";
import { defaultPath } from "./process.ts";
import { deleteCommand, globalArgs, type OciRuntime, runtimeVersionCommand } from "./runtime-command.ts";

export interface FindRuntimeOptions {
  /** Name or absolute path; nothing else is then tried. Default: crun, else runc. */
  readonly preferred?: string | undefined;
  /** Where answers are kept, so that a later process pays a file read instead of a container. */
  readonly cacheFile: string;
  /** State directory the runtime is to use (`--root`). */
  readonly root: string;
}

export interface FoundRuntime {
  readonly runtime: OciRuntime;
  /** One line per candidate: chosen, or why it was refused. */
  readonly reasons: readonly string[];
}

const defaultCandidates: readonly string[] = ["crun", "runc"];

/** First candidate that runs a container here. Throws `configuration` naming what each was refused for, and the remedy. */
export async function findOciRuntime(o: FindRuntimeOptions): Promise<FoundRuntime> {
  const cache = new AnswerCache(o.cacheFile);
  const reasons: string[] = [];
  for (const candidate of o.preferred === undefined ? defaultCandidates : [o.preferred]) {
    const path = findProgram(candidate);
    if (path === undefined) {
      reasons.push(`${candidate}: not installed`);
      continue;
    }
    const answer = cache.get(path) ?? cache.put(path, await probeRuntime(path));
    reasons.push(`${candidate}: ${answer.reason ?? "works"}`);
    if (answer.reason !== undefined) continue;
    return { runtime: { name: basename(path), path, root: o.root, version: answer.version, execCgroup: answer.execCgroup }, reasons };
  }
  throw new BerthError("configuration", `no OCI runtime works on this host (${reasons.join("; ")}); install crun or runc (Debian: apt install crun)`);
}

/** Absolute path of a program on the search path or given as a path; `undefined` when there is none. */
export function findProgram(name: string): string | undefined {
  const directories = name.startsWith("/") ? [""] : `${childEnvironment.PATH ?? ""}:${defaultPath}`.split(delimiter);
  return directories.map((directory) => (directory === "" ? name : join(directory, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path.startsWith("/") && statSync(path).isFile();
  } catch {
    return false;
  }
}

export interface ProbeAnswer {
  /** Absent = it works. */
  readonly reason?: string | undefined;
  readonly version?: string | undefined;
  /** `exec --cgroup` is known. */
  readonly execCgroup?: boolean | undefined;
}

const probeTimeoutMs = 20_000;

/** Creates, starts and deletes a container that runs the host's `true`, in a temporary directory. Leaves nothing behind. */
export async function probeRuntime(path: string): Promise<ProbeAnswer> {
  const directory = mkdtempSync(join(tmpdir(), "berth-probe-"));
  const id = `berth-probe-${randomBytes(6).toString("hex")}`;
  const runtime: OciRuntime = { name: basename(path), path, root: join(directory, "state") };
  const signal = AbortSignal.timeout(probeTimeoutMs);
  try {
    writeProbeBundle(directory, id);
    const version = await run(runtimeVersionCommand(path), { signal });
    const done = await runToEnd(path, [...globalArgs(runtime), "run", "--bundle", directory, id], { signal });
    if (done.exitCode === 0) return { version, execCgroup: await knowsExecCgroup(path, signal) };
    const remove = deleteCommand(runtime, id, { force: true });
    await runToEnd(remove.program, remove.args);
    return { version, reason: explainRefusal(done.stderr || `it ended with ${done.exitCode ?? "a signal"}`) };
  } catch (error) {
    return { reason: signal.aborted ? `no answer within ${probeTimeoutMs / 1000} s` : messageOf(error) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function knowsExecCgroup(path: string, signal: AbortSignal): Promise<boolean> {
  const help = await runToEnd(path, ["exec", "--help"], { signal });
  return /^\s*--cgroup\b/m.test(help.stdout + help.stderr);
}

/** The root is an empty directory over which the host's own programs are bound read-only: no image is needed. */
function writeProbeBundle(directory: string, id: string): void {
  mkdirSync(join(directory, "rootfs"));
  const programs = ["/bin", "/lib", "/lib32", "/lib64", "/usr", "/nix"].filter((path) => existsSync(path));
  const config = {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: {
      user: { uid: 0, gid: 0 },
      args: ["true"],
      env: [`PATH=${process.env["PATH"] ?? defaultPath}`],
      cwd: "/",
      noNewPrivileges: true,
      rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: rlimitInfinity }],
    },
    mounts: [
      ...standardMounts({ privileged: false, writableCgroups: false, shm: { kind: "tmpfs" } }),
      ...programs.map((path) => ({ destination: path, type: "bind", source: path, options: ["rbind", "ro"] })),
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: [{ type: "pid" }, { type: "mount" }, { type: "ipc" }, { type: "uts" }, { type: "network" }],
      resources: { devices: [{ allow: false, access: "rwm" }] },
    },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config), { mode: 0o600 });
}

const unifiedControllers = "/sys/fs/cgroup/unified/cgroup.controllers";

/** What the runtime said, with the remedy where one is known. */
function explainRefusal(stderr: string): string {
  const remedy = cgroupRemedy(readIfThere(unifiedControllers));
  return remedy === undefined ? stderr.slice(-500) : `${stderr.slice(-500)} (${remedy})`;
}

/**
 * On hosts with cgroup v1 crun refuses while controllers are left to the v2 hierarchy beside it. Takes the text of its
 * `cgroup.controllers`; answers the commands that take them over, `undefined` when none is left.
 */
export function cgroupRemedy(controllers: string): string | undefined {
  const left = controllers.split(/\s+/).filter(Boolean);
  if (left.length === 0) return undefined;
  const commands = left.map((name) => `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} cgroup /sys/fs/cgroup/${name}`);
  return `controllers left to the v2 hierarchy may be the reason; mount them as v1: ${commands.join("; ")}`;
}

/** Answers hold for one boot, one set of controllers and one build of a program. */
class AnswerCache {
  readonly #file: string;
  readonly #host: string;
  readonly #answers: Record<string, unknown>;

  constructor(file: string) {
    this.#file = file;
    this.#host = `${readIfThere("/proc/sys/kernel/random/boot_id").trim()} ${readIfThere(unifiedControllers).trim()}`;
    const stored = parseIfJson(readIfThere(file));
    this.#answers = isRecord(stored) && stored["host"] === this.#host && isRecord(stored["answers"]) ? { ...stored["answers"] } : {};
  }

  get(path: string): ProbeAnswer | undefined {
    const stored = this.#answers[this.#key(path)];
    if (!isRecord(stored)) return undefined;
    const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
    return { reason: text(stored["reason"]), version: text(stored["version"]), execCgroup: stored["execCgroup"] === true };
  }

  /** A cache that cannot be written only costs time. */
  put(path: string, answer: ProbeAnswer): ProbeAnswer {
    this.#answers[this.#key(path)] = answer;
    const temporary = `${this.#file}.${process.pid}.${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(temporary, JSON.stringify({ host: this.#host, answers: this.#answers }), { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch {
      rmSync(temporary, { force: true });
    }
    return answer;
  }

  #key(path: string): string {
    const { mtimeMs, size } = statSync(path);
    return `${path} ${mtimeMs} ${size}`;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
