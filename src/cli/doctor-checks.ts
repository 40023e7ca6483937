/**
 * What a host must have for the native backend, each tried rather than believed. Modules that may not load here are imported
 * within their check: `berth doctor` also works where no backend opens.
 */
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { decimalSize } from "./format/size.ts";

export type CheckStatus = "ok" | "warn" | "fail";

export interface CheckResult {
  readonly name: string;
  /** `fail` = containers cannot run; `warn` = something is missing or worse. */
  readonly status: CheckStatus;
  /** What was found. */
  readonly message: string;
  /** The command or step that mends it. */
  readonly remedy?: string | undefined;
}

export interface DoctorOptions {
  /** State directory the checks are about. */
  readonly root: string;
  /** Only this OCI runtime, by name or path; default: crun and runc. */
  readonly ociRuntime?: string | undefined;
}

type Check = (o: DoctorOptions) => CheckResult | readonly CheckResult[] | Promise<CheckResult | readonly CheckResult[]>;

/** Runs every check; a check that breaks is a failed check, never an error. Leaves nothing behind. */
export async function checkHost(o: DoctorOptions): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [name, check] of checks) {
    try {
      const found = await check(o);
      results.push(...(Array.isArray(found) ? found : [found]));
    } catch (error) {
      results.push({ name, status: "fail", message: messageOf(error) });
    }
  }
  return results;
}

const checks: readonly (readonly [string, Check])[] = [
  ["node", checkNode],
  ["operating system", checkSystem],
  ["root", checkRoot],
  ["system calls", checkLibc],
  ["overlayfs", checkOverlay],
  ["cgroups", checkCgroups],
  ["namespaces", checkNamespaces],
  ["seccomp", checkSeccomp],
  ["conmon", () => checkProgram("conmon", "conmon", "the monitor of every container")],
  ["OCI runtime", checkOciRuntimes],
  ["nftables", () => checkProgram("nft", "nftables", "published ports and the way out of bridges")],
  ["names", checkNameServer],
  ["forwarding", checkForwarding],
  ["init", checkInit],
  ["disk space", checkSpace],
];

function checkNode(): CheckResult {
  const isNew = Number(process.versions.node.split(".")[0]) >= 24;
  const message = `Node ${process.versions.node}`;
  return isNew
    ? { name: "node", status: "ok", message }
    : { name: "node", status: "fail", message: `${message} is too old`, remedy: "install Node 24 or newer, or run scripts/berth, which brings its own" };
}

function checkSystem(): CheckResult {
  const isLinux = process.platform === "linux";
  return {
    name: "operating system",
    status: isLinux ? "ok" : "fail",
    message: isLinux ? `Linux ${readText("/proc/sys/kernel/osrelease").trim()}` : `${process.platform} has no Linux containers`,
    remedy: isLinux ? undefined : "run berth on Linux, in a virtual machine if need be",
  };
}

function checkRoot(): CheckResult {
  return process.getuid?.() === 0
    ? { name: "root", status: "ok", message: "running as root" }
    : { name: "root", status: "fail", message: "not running as root", remedy: "sudo berth …" };
}

async function checkLibc(): Promise<CheckResult> {
  try {
    await import("../internal/libc.ts");
    return { name: "system calls", status: "ok", message: "koffi is loaded" };
  } catch (error) {
    return {
      name: "system calls",
      status: "fail",
      message: `koffi cannot be loaded: ${messageOf(error)}`,
      remedy: "npm ci (its binary fits this platform only when it was installed on it)",
    };
  }
}

/** Mounts an overlay where layers will lie: some file systems, such as NFS and overlayfs itself, cannot carry one. */
async function checkOverlay({ root }: DoctorOptions): Promise<CheckResult> {
  const { MNT_DETACH, mount, unmount } = await import("../internal/libc.ts");
  const directory = mkdtempSync(join(nearestDirectory(root), ".berth-doctor-"));
  const path = (name: string): string => join(directory, name);
  const merged = path("merged");
  try {
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(path(name));
    mount("overlay", merged, "overlay", 0, `lowerdir=${path("lower")},upperdir=${path("upper")},workdir=${path("work")}`);
    writeFileSync(join(merged, "probe"), "");
    return { name: "overlayfs", status: "ok", message: `works in ${nearestDirectory(root)}` };
  } catch (error) {
    return {
      name: "overlayfs",
      status: "fail",
      message: `cannot be mounted in ${nearestDirectory(root)}: ${messageOf(error)}`,
      remedy: "modprobe overlay, or --root on an ext4 or xfs file system; inside a container allow mount and give CAP_SYS_ADMIN",
    };
  } finally {
    unmount(merged, MNT_DETACH);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The state directory may not exist yet; it will be made on the file system of its nearest parent. */
function nearestDirectory(path: string): string {
  if (existsSync(path)) return path;
  const parent = dirname(path);
  return parent === path ? tmpdir() : nearestDirectory(parent);
}

const wantedControllers = ["cpu", "memory", "pids", "cpuset"];

async function checkCgroups(): Promise<CheckResult> {
  const { hostFacts } = await import("../oci/host-facts.ts");
  const { cgroup, controllers } = hostFacts();
  const missing = wantedControllers.filter((name) => !controllers.has(name));
  const message = `version ${cgroup} with ${[...controllers].toSorted().join(" ") || "no controllers"}`;
  if (missing.length === 0) return { name: "cgroups", status: "ok", message };
  return {
    name: "cgroups",
    status: "warn",
    message: `${message}; limits of ${missing.join(", ")} cannot be set`,
    remedy:
      cgroup === 2
        ? `echo "${missing.map((name) => `+${name}`).join(" ")}" > /sys/fs/cgroup/cgroup.subtree_control`
        : "boot with cgroup_enable=memory swapaccount=1",
  };
}

function checkNamespaces(): CheckResult {
  const missing = ["mnt", "pid", "net", "ipc", "uts"].filter((kind) => !existsSync(`/proc/self/ns/${kind}`));
  return missing.length === 0
    ? { name: "namespaces", status: "ok", message: "mount, pid, net, ipc, uts" }
    : { name: "namespaces", status: "fail", message: `the kernel lacks ${missing.join(", ")}`, remedy: "use a kernel with CONFIG_NAMESPACES" };
}

function checkSeccomp(): CheckResult {
  return existsSync("/proc/sys/kernel/seccomp/actions_avail")
    ? { name: "seccomp", status: "ok", message: "the kernel can filter system calls" }
    : {
        name: "seccomp",
        status: "warn",
        message: "the kernel cannot filter system calls; containers are confined less",
        remedy: "use a kernel with CONFIG_SECCOMP_FILTER",
      };
}

function checkProgram(program: string, debianPackage: string, purpose: string): CheckResult {
  const path = find(program);
  return path === undefined
    ? { name: program, status: "fail", message: `not installed; needed for ${purpose}`, remedy: `apt-get install -y ${debianPackage}` }
    : { name: program, status: "ok", message: path };
}

function find(program: string): string | undefined {
  const directories = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`.split(delimiter);
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One that works is enough; one that is refused is worth a word, for somebody may have wanted it. */
async function checkOciRuntimes({ ociRuntime }: DoctorOptions): Promise<readonly CheckResult[]> {
  const { findProgram, probeRuntime } = await import("../oci/probe.ts");
  const probes: CheckResult[] = [];
  for (const name of ociRuntime === undefined ? ["crun", "runc"] : [ociRuntime]) {
    const path = findProgram(name);
    const answer = path === undefined ? { reason: "not installed" } : await probeRuntime(path);
    probes.push(
      answer.reason === undefined
        ? { name, status: "ok", message: `${answer.version ?? path ?? name} runs containers` }
        : { name, status: "warn", message: answer.reason, remedy: path === undefined ? `apt-get install -y ${name}` : mountRemedy(answer.reason) },
    );
  }
  const works = probes.some(({ status }) => status === "ok");
  return probes.map((probe) => (works || probe.status === "ok" ? probe : { ...probe, status: "fail" }));
}

/** The commands within the reason of a refusal, where it names some. */
function mountRemedy(reason: string): string | undefined {
  return /mount them as v1: (.*)\)$/.exec(reason)?.[1];
}

async function checkNameServer(): Promise<CheckResult> {
  const { findNameServer } = await import("../network/name-server.ts");
  const path = findNameServer();
  if (path !== undefined) return { name: "names", status: "ok", message: path };
  const message = "aardvark-dns is not installed; containers on networks of their own do not find each other by name";
  return { name: "names", status: "warn", message, remedy: "apt-get install -y aardvark-dns" };
}

async function checkForwarding(): Promise<readonly CheckResult[]> {
  const forwards = readText("/proc/sys/net/ipv4/ip_forward").trim() === "1";
  const on: CheckResult = forwards
    ? { name: "forwarding", status: "ok", message: "net.ipv4.ip_forward is on" }
    : {
        name: "forwarding",
        status: "warn",
        message: "net.ipv4.ip_forward is off; it is turned on with the first bridge",
        remedy: "sysctl -w net.ipv4.ip_forward=1",
      };
  const { forwardingProblems } = await import("../network/forwarding.ts");
  const problems = await forwardingProblems(["berth0"]);
  return [on, ...problems.map(({ problem, remedy }): CheckResult => ({ name: "firewall", status: "warn", message: problem, remedy }))];
}

async function checkInit(): Promise<CheckResult> {
  const { findInit } = await import("../oci/init.ts");
  try {
    return { name: "init", status: "ok", message: findInit() };
  } catch {
    return { name: "init", status: "warn", message: "no static init program; run --init does not work", remedy: "apt-get install -y catatonit" };
  }
}

const scarceBytes = 1_000_000_000;
const tooLittleBytes = 100_000_000;

function checkSpace({ root }: DoctorOptions): CheckResult {
  const where = nearestDirectory(root);
  const { bavail, bsize } = statfsSync(where);
  const free = bavail * bsize;
  const message = `${decimalSize(free)} free in ${where}`;
  if (free >= scarceBytes) return { name: "disk space", status: "ok", message };
  return { name: "disk space", status: free < tooLittleBytes ? "fail" : "warn", message, remedy: "free some space, or put the state elsewhere with --root" };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
