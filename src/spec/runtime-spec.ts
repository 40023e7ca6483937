/** The part of the OCI runtime specification (config.md, config-linux.md 1.0.2) that Berth writes. Field names are the document's. */

export interface OciRuntimeSpec {
  readonly ociVersion: string;
  readonly hostname?: string | undefined;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly process: OciProcess;
  readonly mounts: readonly OciMount[];
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly linux: OciLinux;
}

/** Also the whole of the document that `exec --process` takes. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined;
  readonly user: OciUser;
  readonly args: readonly string[];
  /** `KEY=VALUE` */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj?: number | undefined;
  readonly apparmorProfile?: string | undefined;
  readonly selinuxLabel?: string | undefined;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number | undefined;
  readonly additionalGids: readonly number[];
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciRlimit {
  readonly type: string;
  readonly soft: OciLimit;
  readonly hard: OciLimit;
}

/** Unsigned 64-bit. The largest of them does not fit a number, and so {@link rlimitInfinity} is raw JSON text. */
export type OciLimit = number | { readonly rawJSON: string };

// In every Node we support, but not yet in TypeScript's library.
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): { readonly rawJSON: string } };

/** "unlimited"; `JSON.stringify` writes it digit by digit. */
export const rlimitInfinity: OciLimit = rawJSON("18446744073709551615");

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly devices: readonly OciDevice[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: OciSeccomp | undefined;
  readonly mountLabel?: string | undefined;
  readonly rootfsPropagation?: string | undefined;
}

export interface OciNamespace {
  readonly type: "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup";
  /** An existing namespace to join; absent = a new one. */
  readonly path?: string | undefined;
}

export interface OciDevice {
  readonly path: string;
  readonly type: "c" | "b" | "p";
  readonly major: number;
  readonly minor: number;
  readonly fileMode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "c" | "b" | undefined;
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
  readonly access: string;
}

/** In cgroup v1 terms; OCI runtimes convert them for v2. `unified` is written to v2 files as it stands. */
export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: OciMemory | undefined;
  readonly cpu?: OciCpu | undefined;
  readonly pids?: { readonly limit: number } | undefined;
  readonly blockIO?: { readonly weight: number } | undefined;
  readonly unified?: Readonly<Record<string, string>> | undefined;
}

export interface OciMemory {
  readonly limit?: number | undefined;
  readonly reservation?: number | undefined;
  /** Memory plus swap; -1 = unlimited. */
  readonly swap?: number | undefined;
  readonly swappiness?: number | undefined;
  readonly disableOOMKiller?: boolean | undefined;
}

export interface OciCpu {
  readonly shares?: number | undefined;
  readonly quota?: number | undefined;
  readonly period?: number | undefined;
  readonly cpus?: string | undefined;
  readonly mems?: string | undefined;
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number | undefined;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[] | undefined;
  readonly syscalls: readonly OciSyscallRule[];
}

export interface OciSyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number | undefined;
  readonly args?: readonly OciSyscallArg[] | undefined;
}

export interface OciSyscallArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number | undefined;
  readonly op: string;
}

/** The part of `state` an OCI runtime reports that Berth reads (runtime.md "State"). */
export interface OciState {
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "paused" | "stopped" | (string & {});
  /** Absent or 0 once stopped. */
  readonly pid?: number | undefined;
}
