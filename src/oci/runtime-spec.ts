import { BerthError } from "../errors.ts";
import { wantedCapabilities } from "../spec/capabilities.ts";
import { shortId } from "../spec/container-id.ts";
import type { ContainerConfig } from "../spec/image-config.ts";
import type { OciCapabilities, OciNamespace, OciProcess, OciRuntimeSpec, OciSeccomp } from "../spec/runtime-spec.ts";
import { parseSecurityOptions, type SecurityOptions } from "../spec/security-opt.ts";
import type { CompleteSpec } from "../spec/service-spec.ts";
import type { ResolvedUser } from "../spec/user.ts";
import { deviceNodes, deviceRules, type HostDevice } from "./devices.ts";
import type { HostFacts } from "./host-facts.ts";
import { buildMounts, type ContainerMount, type EngineFiles, initTarget, type MountChoices } from "./mounts.ts";
import { buildEnvironment, resolveArgv, resolveWorkdir } from "./process.ts";
import { buildOomScoreAdj, buildResources, buildRlimits } from "./resources.ts";
import { maskedPaths, readonlyPaths } from "../spec/hidden-paths.ts";

/** A namespace of the container: its own, made by the OCI runtime; the host's; or an existing one by its path. */
export type NamespaceChoice = { readonly kind: "private" } | { readonly kind: "host" } | { readonly kind: "path"; readonly path: string };

/** Everything a runtime spec follows from. {@link buildRuntimeSpec} looks at nothing else. */
export interface RuntimeSpecInput {
  readonly spec: CompleteSpec;
  readonly image: ContainerConfig;
  /** `spec.env` after `resolveEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of contract 1.3.11. */
  readonly injectedEnv?: Readonly<Record<string, string>> | undefined;
  readonly user: ResolvedUser;
  /** 64 hex digits. */
  readonly hexId: string;
  /** Only where another container decides it (network mode container); else it follows from spec, id and host. */
  readonly hostname?: string | undefined;
  readonly rootfs: string;
  /** Storage of the spec and volumes of the image, in place on the host. */
  readonly mounts: readonly ContainerMount[];
  readonly files: EngineFiles;
  readonly network: NamespaceChoice;
  readonly pid: NamespaceChoice;
  readonly ipc: NamespaceChoice;
  /** Host path of the shared memory to use with a joined IPC namespace, such as `/proc/<pid>/root/dev/shm`. */
  readonly sharedMemory?: string | undefined;
  /** Value of `linux.cgroupsPath`; see {@link cgroupsPath}. */
  readonly cgroupsPath: string;
  /** Of `findDevices`, and of `allHostDevices` when privileged. */
  readonly devices: readonly HostDevice[];
  /** Of `seccompFor`; absent = unconfined. */
  readonly seccomp?: OciSeccomp | undefined;
  /** Host path of a static init, of `findInit`; required when `spec.initContainer`. */
  readonly initPath?: string | undefined;
  readonly host: HostFacts;
}

/** `/berth/<leaf>` unless the spec names a parent of its own. */
export function cgroupsPath(parent: string | undefined, leaf: string): string {
  return `/${(parent ?? "berth").split("/").filter(Boolean).join("/")}/${leaf}`;
}

/** UTS name: the spec's or the short id; on the host's network, or with the host's UTS namespace, the host's. */
export function containerHostname(spec: CompleteSpec, hexId: string, host: Pick<HostFacts, "hostname">): string {
  return spec.hostNetwork || spec.utsMode === "host" ? host.hostname : (spec.hostname ?? shortId(hexId));
}

/** Capabilities a container gets on this host; also what its seccomp profile follows from. */
export function grantedCapabilities(spec: CompleteSpec, host: Pick<HostFacts, "capabilities">): readonly string[] {
  const wanted = wantedCapabilities({ add: spec.capabilities, drop: spec.capDrop, privileged: spec.privileged });
  return wanted.filter((name) => host.capabilities.includes(name));
}

/**
 * The OCI runtime spec of one container (contract 1.3, 3.3). Pure. Warnings tell what this host does not offer and nobody
 * loses by. Throws `invalid_spec` without a command, `unsupported` where dropping a field would weaken isolation.
 */
export function buildRuntimeSpec(input: RuntimeSpecInput): { readonly spec: OciRuntimeSpec; readonly warnings: readonly string[] } {
  const { spec, host } = input;
  const warnings: string[] = [];
  const security = parseSecurityOptions(spec.securityOpt);
  refuseUnsupported(spec);
  const hostname = input.hostname ?? containerHostname(spec, input.hexId, host);
  const open = spec.privileged || security.systemPathsUnconfined;
  const runtimeSpec: OciRuntimeSpec = {
    ociVersion: "1.0.2",
    // To set it without a namespace of its own would rename the host.
    ...(spec.utsMode === "host" ? {} : { hostname }),
    root: { path: input.rootfs, readonly: spec.readOnlyRootFs },
    process: buildProcess(input, security, hostname, warnings),
    mounts: buildMounts(mountChoices(input, security)),
    linux: {
      namespaces: buildNamespaces(input),
      cgroupsPath: input.cgroupsPath,
      resources: { devices: deviceRules(input.devices, spec.privileged), ...buildResources(spec.resources, host, warnings) },
      devices: deviceNodes(input.devices),
      sysctl: { ...defaultSysctls(input), ...spec.sysctls },
      maskedPaths: open ? [] : maskedPaths,
      readonlyPaths: open ? [] : readonlyPaths,
      ...(input.seccomp === undefined ? {} : { seccomp: input.seccomp }),
    },
  };
  warnAboutVolumes(spec, warnings);
  return { spec: runtimeSpec, warnings };
}

function refuseUnsupported(spec: CompleteSpec): void {
  if (spec.serviceType.startsWith("wasm_")) {
    throw new BerthError("unsupported", `serviceType ${spec.serviceType}: the native backend runs linux processes; use the wasm backend`);
  }
}

function warnAboutVolumes(spec: CompleteSpec, warnings: string[]): void {
  for (const entry of spec.storage) {
    if (entry.type === "named" && entry.size !== undefined) warnings.push(`size of volume ${entry.name} is not enforced: volumes are directories of the host`);
  }
}

function buildProcess(input: RuntimeSpecInput, security: SecurityOptions, hostname: string, warnings: string[]): OciProcess {
  const { spec, image, user, host } = input;
  const oomScoreAdj = buildOomScoreAdj(spec.resources.oomScoreAdj, host, warnings);
  const apparmorProfile = apparmorFor(security, spec.privileged, host);
  warnAboutLabels(security, host, warnings);
  return {
    terminal: spec.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: withInit(resolveArgv(spec.command, image), input),
    env: buildEnvironment({ image: image.env, hostname, home: user.home, tty: spec.tty, spec: input.env, injected: input.injectedEnv }),
    cwd: resolveWorkdir(spec.command, image),
    capabilities: buildCapabilities(spec, host, warnings),
    rlimits: buildRlimits(spec.ulimits, host, warnings),
    noNewPrivileges: security.noNewPrivileges,
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
  };
}

function withInit(argv: readonly string[], input: RuntimeSpecInput): readonly string[] {
  if (!input.spec.initContainer) return argv;
  if (input.initPath === undefined) throw new BerthError("configuration", "initContainer needs an init program; install catatonit or tini");
  return [initTarget, "--", ...argv];
}

/** What the engine itself lacks cannot be given; only a capability asked for by name is worth a warning. */
function buildCapabilities(spec: CompleteSpec, host: HostFacts, warnings: string[]): OciCapabilities {
  const granted = grantedCapabilities(spec, host);
  const missing = spec.capabilities.filter((name) => name !== "ALL" && !spec.capDrop.includes(name) && !granted.includes(name));
  for (const name of missing) warnings.push(`capability ${name} is not given: the engine does not have it on this host`);
  return { bounding: granted, effective: granted, permitted: granted, inheritable: [], ambient: [] };
}

function apparmorFor(security: SecurityOptions, privileged: boolean, host: HostFacts): string | undefined {
  const wanted = security.apparmor ?? (privileged ? "unconfined" : host.apparmorDefault);
  if (wanted === undefined || host.apparmor) return wanted;
  if (wanted === "unconfined") return undefined;
  throw new BerthError("unsupported", `securityOpt apparmor=${wanted}: AppArmor is not enabled on this host; enable it or drop the option`);
}

function warnAboutLabels(security: SecurityOptions, host: HostFacts, warnings: string[]): void {
  const wanted = security.labels.filter((label) => label !== "disable");
  if (wanted.length === 0) return;
  if (host.selinux) throw new BerthError("unsupported", `securityOpt label=${wanted[0] ?? ""}: SELinux labels are not supported; use label=disable`);
  warnings.push("securityOpt label is ignored: SELinux is not enabled on this host");
}

function mountChoices(input: RuntimeSpecInput, security: SecurityOptions): MountChoices {
  const { spec } = input;
  return {
    privileged: spec.privileged,
    writableCgroups: security.writableCgroups,
    readOnlyRoot: spec.readOnlyRootFs,
    shm: sharedMemory(input),
    files: input.files,
    init: spec.initContainer ? input.initPath : undefined,
    mounts: input.mounts,
  };
}

function sharedMemory(input: RuntimeSpecInput): MountChoices["shm"] {
  if (input.spec.ipcMode === "none") return { kind: "none" };
  if (input.ipc.kind === "host") return { kind: "bind", source: "/dev/shm" };
  return input.sharedMemory === undefined ? { kind: "tmpfs" } : { kind: "bind", source: input.sharedMemory };
}

function buildNamespaces(input: RuntimeSpecInput): readonly OciNamespace[] {
  const choices: readonly (readonly ["pid" | "ipc" | "network", NamespaceChoice])[] = [
    ["pid", input.pid],
    ["ipc", input.ipc],
    ["network", input.network],
  ];
  return [
    { type: "mount" },
    ...(input.spec.utsMode === "host" ? [] : [{ type: "uts" } as const]),
    // Without it the container would see its cgroup's place on the host, and on v2 not find itself at the root.
    ...(input.spec.privileged && input.host.cgroup === 1 ? [] : [{ type: "cgroup" } as const]),
    ...choices.flatMap(([type, choice]): readonly OciNamespace[] => {
      if (choice.kind === "host") return [];
      return [choice.kind === "path" ? { type, path: choice.path } : { type }];
    }),
  ];
}

/** Low ports and ping for everybody, as Docker allows; another container's network is left as it is. */
function defaultSysctls(input: RuntimeSpecInput): Readonly<Record<string, string>> {
  if (input.network.kind === "host" || input.spec.networkMode.mode === "container") return {};
  const values: Readonly<Record<string, string>> = { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" };
  return Object.fromEntries(input.host.netSysctls.map((name) => [name, values[name] ?? ""]));
}
