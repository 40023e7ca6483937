import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { allCapabilities, defaultCapabilities } from "../spec/capabilities.ts";
import { completeSpec } from "../spec/complete-spec.ts";
import type { OciRuntimeSpec } from "../spec/runtime-spec.ts";
import type { ServiceSpec } from "../spec/service-spec.ts";
import type { HostFacts } from "./host-facts.ts";
import { buildRuntimeSpec, cgroupsPath, type RuntimeSpecInput } from "./runtime-spec.ts";

const host: HostFacts = {
  cgroup: 2,
  controllers: new Set(["cpu", "memory", "cpuset", "pids", "io"]),
  capabilities: allCapabilities,
  arch: "amd64",
  kernel: "6.1.0",
  hostname: "machine",
  apparmor: false,
  selinux: false,
  swapAccounting: true,
  blkioWeight: true,
  hardLimits: {},
  maxOpenFiles: 1_048_576,
  oomScoreAdj: 0,
  netSysctls: ["net.ipv4.ip_unprivileged_port_start"],
};
const hostV1: HostFacts = { ...host, cgroup: 1 };
const weakHost: HostFacts = { ...host, capabilities: allCapabilities.filter((name) => name !== "CAP_SYS_RESOURCE"), hardLimits: { nofile: 20_000 } };

function build(fields: Partial<ServiceSpec>, over: Partial<RuntimeSpecInput> = {}): { spec: OciRuntimeSpec; warnings: readonly string[] } {
  const { spec } = completeSpec({ image: "x", command: { args: ["run"] }, ...fields });
  return buildRuntimeSpec({
    spec,
    image: { exposedPorts: [], env: [], entrypoint: [], cmd: [], volumes: [], labels: {}, onBuild: [] },
    env: spec.env,
    user: { uid: 0, gid: 0, additionalGids: [0], home: "/root" },
    hexId: "0123456789ab".padEnd(64, "0"),
    rootfs: "/rootfs",
    mounts: [],
    files: {},
    network: { kind: "private" },
    pid: { kind: "private" },
    ipc: { kind: "private" },
    cgroupsPath: "/berth/x",
    devices: [],
    host,
    ...over,
  });
}

const namespaces = (spec: OciRuntimeSpec): Record<string, string> => Object.fromEntries(spec.linux.namespaces.map(({ type, path }) => [type, path ?? "new"]));
const mountAt = (spec: OciRuntimeSpec, destination: string): string | undefined => {
  const mount = spec.mounts.find((candidate) => candidate.destination === destination);
  return mount === undefined ? undefined : `${mount.type} ${mount.source} ${mount.options.join(",")}`;
};

describe("a plain container", () => {
  const { spec, warnings } = build({});
  test("no warnings, and nothing JSON would lose", () => {
    assert.deepEqual(warnings, []);
    assert.deepEqual(JSON.parse(JSON.stringify(spec)), spec);
  });
  test("process", () => {
    assert.deepEqual(spec.process.args, ["run"]);
    assert.deepEqual([...spec.process.capabilities.bounding].sort(), [...defaultCapabilities].sort());
    assert.deepEqual(spec.process.capabilities.effective, spec.process.capabilities.permitted);
    assert.deepEqual([spec.process.capabilities.inheritable, spec.process.capabilities.ambient], [[], []]);
    assert.deepEqual([spec.process.noNewPrivileges, spec.process.cwd, spec.process.terminal], [false, "/", false]);
  });
  test("hostname is the short id", () => assert.equal(spec.hostname, "0123456789ab"));
  test("namespaces", () => assert.deepEqual(namespaces(spec), { mount: "new", uts: "new", cgroup: "new", pid: "new", ipc: "new", network: "new" }));
  test("standard mounts", () => {
    assert.deepEqual(
      spec.mounts.map((mount) => mount.destination),
      ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"],
    );
    assert.match(mountAt(spec, "/sys") ?? "", /,ro$/);
    assert.match(mountAt(spec, "/sys/fs/cgroup") ?? "", /^cgroup .*,ro$/);
    assert.match(mountAt(spec, "/dev/shm") ?? "", /mode=1777,size=67108864/);
  });
  test("masked and read-only paths", () => {
    assert.ok(spec.linux.maskedPaths.includes("/proc/kcore") && spec.linux.maskedPaths.includes("/sys/devices/virtual/powercap"));
    assert.ok(spec.linux.readonlyPaths.includes("/proc/sys"));
  });
  test("devices: making nodes, using only the standard ones", () => {
    assert.deepEqual(spec.linux.resources.devices[0], { allow: false, access: "rwm" });
    assert.equal(
      spec.linux.resources.devices.some((rule) => rule.allow && rule.type === "b" && rule.access !== "m"),
      false,
    );
  });
  test("low ports for everybody", () => assert.deepEqual(spec.linux.sysctl, { "net.ipv4.ip_unprivileged_port_start": "0" }));
});

describe("privileges", () => {
  test("privileged", () => {
    const device = { path: "/dev/sda", type: "b", major: 8, minor: 0, access: "rwm" } as const;
    const { spec } = build({ privileged: true }, { devices: [device] });
    assert.deepEqual(spec.process.capabilities.bounding, allCapabilities);
    assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths, spec.linux.seccomp], [[], [], undefined]);
    assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: "rwm" }]);
    assert.deepEqual(spec.linux.devices, [{ path: "/dev/sda", type: "b", major: 8, minor: 0 }]);
    assert.match(mountAt(spec, "/sys") ?? "", /,rw$/);
    assert.match(mountAt(spec, "/sys/fs/cgroup") ?? "", /,rw$/);
  });
  test("what the engine lacks is not given; asked for by name it warns", () => {
    assert.deepEqual(build({ privileged: true }, { host: weakHost }).warnings, []);
    const { spec, warnings } = build({ capabilities: ["SYS_RESOURCE", "NET_ADMIN"] }, { host: weakHost });
    assert.equal(spec.process.capabilities.bounding.includes("CAP_SYS_RESOURCE"), false);
    assert.ok(spec.process.capabilities.bounding.includes("CAP_NET_ADMIN"));
    assert.match(warnings.join(), /CAP_SYS_RESOURCE is not given/);
  });
  test("securityOpt", () => {
    const { spec } = build({ securityOpt: ["no-new-privileges", "systempaths=unconfined", "writable-cgroups=true"] });
    assert.deepEqual([spec.process.noNewPrivileges, spec.linux.maskedPaths.length], [true, 0]);
    assert.match(mountAt(spec, "/sys/fs/cgroup") ?? "", /,rw$/);
    assert.throws(
      () => build({ securityOpt: ["apparmor=strict"] }),
      (error) => isBerthError(error, "unsupported"),
    );
    const withApparmor = { ...host, apparmor: true, apparmorDefault: "docker-default" };
    assert.equal(build({ securityOpt: ["apparmor=strict"] }, { host: withApparmor }).spec.process.apparmorProfile, "strict");
    assert.equal(build({}, { host: withApparmor }).spec.process.apparmorProfile, "docker-default");
    assert.equal(build({ privileged: true }, { host: withApparmor }).spec.process.apparmorProfile, "unconfined");
    assert.match(build({ securityOpt: ["label=type:x"] }).warnings.join(), /SELinux/);
    assert.throws(
      () => build({ securityOpt: ["label=type:x"] }, { host: { ...host, selinux: true } }),
      (error) => isBerthError(error, "unsupported"),
    );
  });
  test("devices", () => {
    const { spec } = build(
      {},
      {
        devices: [
          { path: "/dev/fuse", type: "c", major: 10, minor: 229, access: "rw" },
          { path: "/dev/null", type: "c", major: 1, minor: 3, access: "rw" },
        ],
      },
    );
    assert.deepEqual(
      spec.linux.devices.map((device) => device.path),
      ["/dev/fuse"],
    );
    assert.deepEqual(spec.linux.resources.devices.at(-2), { allow: true, type: "c", major: 10, minor: 229, access: "rw" });
  });
  test("a device twice is one node", () => {
    const host = { path: "/dev/fuse", type: "c", major: 10, minor: 229, access: "rwm" } as const;
    const { spec } = build({ privileged: true }, { devices: [host, { ...host, minor: 230 }] });
    assert.deepEqual(
      spec.linux.devices.map((device) => device.minor),
      [230],
    );
  });
});

describe("namespaces", () => {
  test("host", () => {
    const { spec } = build(
      { networkMode: "host", pidMode: "host", ipcMode: "host" },
      { network: { kind: "host" }, pid: { kind: "host" }, ipc: { kind: "host" } },
    );
    assert.deepEqual(namespaces(spec), { mount: "new", uts: "new", cgroup: "new" });
    assert.deepEqual([spec.hostname, spec.linux.sysctl], ["machine", {}]);
    assert.match(mountAt(spec, "/dev/shm") ?? "", /^bind \/dev\/shm /);
  });
  test("joined", () => {
    const { spec } = build(
      { networkMode: "container:x", ipcMode: "container:x" },
      {
        network: { kind: "path", path: "/proc/7/ns/net" },
        ipc: { kind: "path", path: "/proc/7/ns/ipc" },
        sharedMemory: "/proc/7/root/dev/shm",
        hostname: "other",
        host: hostV1,
      },
    );
    assert.deepEqual(namespaces(spec), { mount: "new", uts: "new", cgroup: "new", pid: "new", network: "/proc/7/ns/net", ipc: "/proc/7/ns/ipc" });
    assert.deepEqual([spec.hostname, spec.linux.sysctl], ["other", {}]);
    assert.match(mountAt(spec, "/dev/shm") ?? "", /^bind \/proc\/7\/root\/dev\/shm /);
  });
  test("ipc none has no shared memory", () => assert.equal(mountAt(build({ ipcMode: "none" }).spec, "/dev/shm"), undefined));
  test("cgroups path", () => {
    assert.equal(cgroupsPath(undefined, "berth-web-rep-0"), "/berth/berth-web-rep-0");
    assert.equal(cgroupsPath("/a//b/", "c"), "/a/b/c");
  });
});

describe("mounts", () => {
  test("what the spec mounts replaces standard mounts; parents come first", () => {
    const { spec } = build(
      { readOnlyRootFs: true },
      {
        files: { hosts: "/h", hostname: "/n", resolvConf: "/r" },
        mounts: [
          { kind: "bind", source: "/src", target: "/data/deep/er", readonly: true },
          { kind: "tmpfs", target: "/data", sizeBytes: 4096, mode: 0o700 },
          { kind: "tmpfs", target: "/dev/shm", sizeBytes: 1024 },
          { kind: "bind", source: "/own-hosts", target: "/etc/hosts", readonly: false },
        ],
      },
    );
    const order = spec.mounts.map((mount) => mount.destination);
    assert.deepEqual(order.slice(-6), ["/data", "/dev/shm", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/data/deep/er"]);
    assert.equal(order.filter((path) => path === "/dev/shm").length, 1);
    assert.equal(mountAt(spec, "/data"), "tmpfs tmpfs nosuid,nodev,mode=700,size=4096");
    assert.equal(mountAt(spec, "/data/deep/er"), "bind /src rbind,rprivate,ro,rro");
    assert.equal(mountAt(spec, "/etc/hosts"), "bind /own-hosts rbind,rprivate,rw");
    assert.equal(mountAt(spec, "/etc/hostname"), "bind /n rbind,rprivate,ro");
    assert.equal(spec.root.readonly, true);
  });
  test("a volume over /etc still gets the container's files", () => {
    const { spec } = build({}, { files: { hosts: "/h" }, mounts: [{ kind: "bind", source: "/v", target: "/etc", readonly: false }] });
    assert.deepEqual(
      spec.mounts.slice(-2).map((mount) => mount.destination),
      ["/etc", "/etc/hosts"],
    );
  });
  test("init", () => {
    const { spec } = build({ initContainer: true }, { initPath: "/usr/bin/catatonit" });
    assert.deepEqual(spec.process.args, ["/dev/berth-init", "--", "run"]);
    assert.match(mountAt(spec, "/dev/berth-init") ?? "", /catatonit rbind,rprivate,ro/);
    assert.throws(
      () => build({ initContainer: true }),
      (error) => isBerthError(error, "configuration"),
    );
  });
});

describe("limits", () => {
  const resources = { memory: "64Mi", memoryReservation: "32Mi", cpu: 1.5, cpuShares: 1024, cpuset: "0-1", pidsLimit: 10, blkioWeight: 500 };
  test("cgroup v2", () => {
    const { devices: _devices, ...rest } = build({ resources }).spec.linux.resources;
    assert.deepEqual(rest, {
      memory: { limit: 67_108_864, reservation: 33_554_432, swap: 134_217_728 },
      cpu: { quota: 150_000, period: 100_000, cpus: "0-1" },
      pids: { limit: 10 },
      blockIO: { weight: 500 },
      unified: { "cpu.weight": "39" },
    });
  });
  test("cgroup v1", () => {
    const { spec } = build({ resources: { ...resources, memorySwap: "64Mi", memorySwappiness: 5, oomKillDisable: true, cpuShares: 1 } }, { host: hostV1 });
    assert.deepEqual(spec.linux.resources.memory, { limit: 67_108_864, reservation: 33_554_432, swap: 67_108_864, swappiness: 5, disableOOMKiller: true });
    assert.deepEqual([spec.linux.resources.cpu?.shares, spec.linux.resources.unified], [2, undefined]);
  });
  test("no limit, no entry", () => {
    const { devices: _devices, ...rest } = build({ resources: { pidsLimit: -1 } }).spec.linux.resources;
    assert.deepEqual(rest, {});
  });
  test("what v2 does not have warns", () => {
    assert.equal(build({ resources: { memorySwappiness: 5, oomKillDisable: true } }).warnings.length, 2);
    assert.equal(
      build({ resources: { memory: "1Mi", memorySwap: "2Mi", blkioWeight: 10 } }, { host: { ...host, swapAccounting: false, blkioWeight: false } }).warnings
        .length,
      2,
    );
  });
  test("a limit no controller enforces is refused", () => {
    const without = { ...host, controllers: new Set(["cpu"]) };
    assert.throws(
      () => build({ resources: { memory: "1Mi" } }, { host: without }),
      (error) => isBerthError(error, "unsupported") && /memory/.test(error.message),
    );
    assert.doesNotThrow(() => build({ resources: { cpu: 1, pidsLimit: 0 } }, { host: without }));
  });
  test("ulimits", () => {
    const ulimits = { nofile: { soft: 100, hard: 50_000 }, core: { soft: 0, hard: -1 } };
    assert.match(JSON.stringify(build({ ulimits }).spec.process.rlimits), /"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615/);
    const { spec, warnings } = build({ ulimits }, { host: weakHost });
    assert.deepEqual(spec.process.rlimits[0], { type: "RLIMIT_NOFILE", soft: 100, hard: 20_000 });
    assert.match(warnings.join(), /nofile is lowered to 20000/);
    assert.deepEqual(build({ ulimits: { nofile: { hard: -1 } } }).spec.process.rlimits[0], { type: "RLIMIT_NOFILE", soft: 1_048_576, hard: 1_048_576 });
  });
  test("OOM score", () => {
    assert.equal(build({ resources: { oomScoreAdj: -500 } }).spec.process.oomScoreAdj, -500);
    assert.equal(build({}).spec.process.oomScoreAdj, undefined);
    assert.equal(build({}, { host: { ...host, oomScoreAdj: -500 } }).spec.process.oomScoreAdj, 0);
    const weak = build({ resources: { oomScoreAdj: -500 } }, { host: weakHost });
    assert.deepEqual([weak.spec.process.oomScoreAdj, weak.warnings.length], [0, 1]);
    assert.equal(build({ resources: { oomScoreAdj: 500 } }, { host: weakHost }).spec.process.oomScoreAdj, 500);
  });
});

test("wasm services belong elsewhere", () => {
  assert.throws(
    () => build({ serviceType: "wasm_http" }),
    (error) => isBerthError(error, "unsupported"),
  );
});

test("a volume's size is told to be no limit", () => {
  assert.match(build({ storage: [{ type: "named", name: "v", target: "/v", size: "1Gi" }] }).warnings.join(), /size of volume v/);
});
