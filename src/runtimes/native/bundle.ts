/** The bundle of one run: from a container's record to the `config.json` the OCI runtime reads. */
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../errors.ts";
import { writeBundle as writeConfig } from "../../oci/bundle.ts";
import { allHostDevices, findDevices } from "../../oci/devices.ts";
import { findInit } from "../../oci/init.ts";
import { MS, mount } from "../../internal/libc.ts";
import { type ContainerMount, defaultShmBytes } from "../../oci/mounts.ts";
import { buildRuntimeSpec, grantedCapabilities, type NamespaceChoice } from "../../oci/runtime-spec.ts";
import { bpfAnnotation, compiledSeccomp } from "../../oci/seccomp-bpf.ts";
import { seccompFor } from "../../oci/seccomp.ts";
import { resolveUser } from "../../oci/user.ts";
import type { FineLimits } from "../../runtime/resource-update.ts";
import { resolveEnvironment } from "../../spec/complete-spec.ts";
import type { OciRuntimeSpec } from "../../spec/runtime-spec.ts";
import { parseSecurityOptions } from "../../spec/security-opt.ts";
import type { CompleteSpec, StorageSpec } from "../../spec/service-spec.ts";
import { findContainer, type NetworkPlan } from "./container-network.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { portVariables } from "./port-override.ts";
import { isRunning, settle } from "./run-state.ts";
import { volumeMount } from "./volume-calls.ts";

/** Needs the root file system mounted: users are looked up in it. Answers with what the host cannot give. */
export function writeBundle(
  ctx: NativeContext,
  record: ContainerRecord,
  paths: ContainerPaths,
  network: NetworkPlan,
  cgroup: string,
): { readonly spec: OciRuntimeSpec; readonly warnings: readonly string[] } {
  const { spec } = record.facts;
  const image = ctx.images.get(record.imageId);
  if (image === undefined) throw new BerthError("start_failed", `image ${record.imageId} is gone from the store`, { reason: "image is gone" });
  const config = image.config.config;
  const facts = { capabilities: grantedCapabilities(spec, ctx.host), arch: ctx.host.arch, kernel: ctx.host.kernel };
  const built = buildRuntimeSpec({
    spec,
    image: config,
    env: resolveEnvironment(spec.env, process.env, (name) => ctx.secrets.value(name)),
    injectedEnv: portVariables(record),
    user: resolveUser(paths.merged, spec.user ?? config.user, spec.extraGroups),
    hexId: record.hexId,
    hostname: network.utsName,
    rootfs: paths.merged,
    mounts: spec.storage.map((entry) => mountOf(ctx, entry)),
    files: { hosts: network.hosts, hostname: network.hostname, resolvConf: network.resolvConf },
    network: network.namespace,
    pid: namespaceOf(ctx, spec.pidMode, "pid"),
    ipc: namespaceOf(ctx, spec.ipcMode, "ipc"),
    sharedMemory: sharedMemoryOf(ctx, spec, paths),
    cgroupsPath: cgroup,
    devices: spec.privileged ? [...allHostDevices(), ...findDevices(spec.devices)] : findDevices(spec.devices),
    seccomp: seccompFor(parseSecurityOptions(spec.securityOpt).seccomp, { privileged: spec.privileged, ...facts }),
    initPath: spec.initContainer ? findInit() : undefined,
    host: ctx.host,
  });
  writeConfig(paths.bundle, withFineLimits(withCompiledSeccomp(ctx, built.spec), record.facts.fineLimits));
  return built;
}

/** crun takes the filter ready-made; other OCI runtimes compile the profile themselves. */
function withCompiledSeccomp(ctx: NativeContext, spec: OciRuntimeSpec): OciRuntimeSpec {
  const { seccomp } = spec.linux;
  if (seccomp === undefined || !ctx.oci.name.startsWith("crun")) return spec;
  const program = compiledSeccomp(seccomp, join(ctx.layout.run, "seccomp"));
  return program === undefined ? spec : { ...spec, annotations: { ...spec.annotations, [bpfAnnotation]: program } };
}

/** What updates set beyond the words of the container's description. */
function withFineLimits(spec: OciRuntimeSpec, fine: FineLimits | undefined): OciRuntimeSpec {
  if (fine === undefined) return spec;
  const { cpuPeriod: period, cpuQuota, cpusetMems: mems } = fine;
  const cpu = {
    ...spec.linux.resources.cpu,
    ...(period === undefined ? {} : { period }),
    ...(cpuQuota === undefined ? {} : { quota: cpuQuota > 0 ? cpuQuota : -1 }),
    ...(mems === undefined ? {} : { mems }),
  };
  return { ...spec, linux: { ...spec.linux, resources: { ...spec.linux.resources, cpu } } };
}

/** The spec of the run that is going on: what an exec takes its defaults from. */
export function readBundle(paths: ContainerPaths): OciRuntimeSpec {
  return JSON.parse(readFileSync(join(paths.bundle, "config.json"), "utf8")) as OciRuntimeSpec;
}

function mountOf(ctx: NativeContext, entry: StorageSpec): ContainerMount {
  switch (entry.type) {
    case "bind":
      return { kind: "bind", source: entry.source, target: entry.target, readonly: entry.readonly === true, isFile: isFile(entry.source) };
    case "named":
      return volumeMount(ctx, entry);
    case "tmpfs":
      return { kind: "tmpfs", target: entry.target, sizeBytes: entry.size === undefined ? undefined : Number(entry.size), mode: entry.mode };
    case "anonymous":
    case "s3":
      throw new BerthError("internal", `storage of type ${entry.type} was not resolved at create`);
    default:
      return entry satisfies never;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

function namespaceOf(ctx: NativeContext, mode: string | undefined, kind: "pid" | "ipc"): NamespaceChoice {
  if (mode === "host") return { kind: "host" };
  if (mode?.startsWith("container:")) return { kind: "path", path: `/proc/${joined(ctx, mode, kind).pid}/ns/${kind}` };
  return { kind: "private" };
}

/** A joined IPC namespace shares /dev/shm too. */
function sharedMemoryOf(ctx: NativeContext, spec: CompleteSpec, paths: ContainerPaths): string | undefined {
  const { ipcMode } = spec;
  if (ipcMode === "shareable") return paths.sharedMemory;
  if (ipcMode === undefined || !ipcMode.startsWith("container:")) return undefined;
  const { facts } = joined(ctx, ipcMode, "ipc").record;
  if (facts.spec.ipcMode !== "shareable") {
    const reason = `the ipc namespace of ${ipcMode} is private; create that container with ipc mode shareable`;
    throw new BerthError("start_failed", reason, { reason });
  }
  return pathsOf(ctx, facts.id).sharedMemory;
}

/** A `shareable` container has its /dev/shm on the host, where others can be given it too. */
export function mountSharedMemory(spec: CompleteSpec, paths: ContainerPaths): void {
  if (spec.ipcMode !== "shareable") return;
  mkdirSync(paths.sharedMemory, { recursive: true, mode: 0o700 });
  mount("shm", paths.sharedMemory, "tmpfs", MS.NOSUID | MS.NODEV | MS.NOEXEC, `mode=1777,size=${defaultShmBytes}`);
}

function joined(ctx: NativeContext, mode: string, kind: string): { readonly record: ContainerRecord; readonly pid: number } {
  const reference = mode.slice("container:".length);
  const found = findContainer(ctx, reference);
  const record = found && settle(ctx, found);
  if (record === undefined || !isRunning(record) || record.run.pid === undefined) {
    const reason = `cannot join the ${kind} namespace of container ${reference}: it is not running; start it first`;
    throw new BerthError("start_failed", reason, { reason });
  }
  return { record, pid: record.run.pid };
}
