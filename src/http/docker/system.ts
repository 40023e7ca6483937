/** Version, info and login: the engine about itself. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, hostname, release, totalmem } from "node:os";
import type { InfoReport, VersionReport } from "../../docker-api/system.ts";
import { isManaged } from "../../engine/resolve.ts";
import { version } from "../../version.ts";
import { defaultApiVersion, minimumApiVersion } from "../api-version.ts";
import type { Call } from "../call.ts";
import { statusWord } from "./container-state.ts";
import type { DockerEngine } from "./engine.ts";

export const identityHeaders: Readonly<Record<string, string>> = {
  "Api-Version": `1.${defaultApiVersion}`,
  "Docker-Experimental": "false",
  Ostype: "linux",
  Server: `Berth/${version} (linux)`,
};

export const pingHeaders: Readonly<Record<string, string>> = {
  ...identityHeaders,
  "Builder-Version": "1",
  Swarm: "inactive",
  "Cache-Control": "no-cache, no-store, must-revalidate",
  Pragma: "no-cache",
  "Content-Type": "text/plain; charset=utf-8",
  "Content-Length": "2",
};

const goArch: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm", ia32: "386" };
const machine: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", arm: "armv7l", ia32: "i686" };

export async function versionReport(engine: DockerEngine, call: Call): Promise<void> {
  const info = await engine.runtime.extras?.info?.();
  const runtime = /^(\S+)/.exec(info?.facts["OCI Runtime"] ?? "")?.[1];
  const details = {
    ApiVersion: `1.${defaultApiVersion}`,
    Arch: goArch[arch()] ?? arch(),
    BuildTime: "",
    Experimental: "false",
    GitCommit: "",
    GoVersion: "",
    KernelVersion: release(),
    MinAPIVersion: `1.${minimumApiVersion}`,
    Os: "linux",
  };
  const report: VersionReport = {
    Platform: { Name: "Berth" },
    Components: [
      { Name: "Engine", Version: version, Details: details },
      { Name: engine.runtime.backend, Version: info?.version ?? version, Details: {} },
      ...(runtime === undefined ? [] : [{ Name: runtime, Version: "", Details: {} }]),
    ],
    Version: version,
    ApiVersion: details.ApiVersion,
    MinAPIVersion: details.MinAPIVersion,
    GitCommit: "",
    GoVersion: "",
    Os: details.Os,
    Arch: details.Arch,
    KernelVersion: details.KernelVersion,
    BuildTime: "",
  };
  call.answer(200, report);
}

export async function infoReport(engine: DockerEngine, call: Call): Promise<void> {
  const [containers, images, info] = await Promise.all([
    engine.containers.list(),
    engine.runtime.listImages(),
    engine.runtime.extras?.info?.() ?? Promise.resolve(undefined),
  ]);
  const words = containers.filter(isManaged).map(statusWord);
  const count = (...wanted: readonly string[]): number => words.filter((word) => wanted.includes(word)).length;
  const runtime = /^(\S+) \((.*)\)$/.exec(info?.facts["OCI Runtime"] ?? "");
  const runtimeName = runtime?.[1] ?? "runc";
  const report: InfoReport = {
    ID: engine.facts.id,
    Containers: words.length,
    ContainersRunning: count("running"),
    ContainersPaused: count("paused"),
    ContainersStopped: words.length - count("running", "paused"),
    Images: new Set(images.map(({ id, reference }) => id ?? reference)).size,
    Driver: "overlay2",
    DriverStatus: Object.entries(info?.facts ?? {}).map(([name, text]) => [name, text]),
    DockerRootDir: engine.facts.root,
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "null"], Authorization: null, Log: ["json-file", "local"] },
    ...limitsOfHost,
    IPv4Forwarding: true,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
    Debug: engine.facts.isDebug,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: info?.facts["Cgroup Version"] ?? "2",
    NEventsListener: 0,
    KernelVersion: release(),
    ...operatingSystem(),
    OSType: "linux",
    Architecture: machine[arch()] ?? arch(),
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: [],
      AllowNondistributableArtifactsHostnames: [],
      InsecureRegistryCIDRs: ["127.0.0.0/8"],
      IndexConfigs: { "docker.io": { Name: "docker.io", Mirrors: [], Secure: true, Official: true } },
      Mirrors: [],
    },
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    GenericResources: null,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: version,
    Runtimes: { [runtimeName]: { path: runtime?.[2] ?? runtimeName } },
    DefaultRuntime: runtimeName,
    Swarm: { NodeID: "", NodeAddr: "", LocalNodeState: "inactive", ControlAvailable: false, Error: "", RemoteManagers: null },
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "catatonit",
    ContainerdCommit: { ID: "", Expected: "" },
    RuncCommit: { ID: "", Expected: "" },
    InitCommit: { ID: "", Expected: "" },
    SecurityOptions: ["name=seccomp,profile=builtin"],
    Warnings: info === undefined || info.warnings.length === 0 ? null : info.warnings,
  };
  call.answer(200, report);
}

const limitsOfHost = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  OomKillDisable: false,
};

function operatingSystem(): { OperatingSystem: string; OSVersion: string } {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
    return { OperatingSystem: field("PRETTY_NAME") || "Linux", OSVersion: field("VERSION_ID") };
  } catch {
    return { OperatingSystem: "Linux", OSVersion: "" };
  }
}
